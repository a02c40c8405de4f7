/**
 * What a part (a module or a feature) may bring, and what it is handed. `server/app.ts` lists the parts; the platform
 * collects what they bring. Everything but the name is optional.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from './config/config.ts';
import type { EffectiveSetting } from './config/reader.ts';
import type { Declaration, UnknownSettings } from './config/setting.ts';
import type { Clock } from './database/clock.ts';
import type { Listener } from './database/listener.ts';
import type { FindAdoption } from './database/migrations/adoption.ts';
import type { Database } from './database/pool/pool.ts';
import type { Transaction } from './database/transaction.ts';
import type { Check } from './health/health-checks.ts';
import type { ProbeSources } from './health/probe-documents.ts';
import type { AccessLevel } from './http/access/access.ts';
import type { SignInToken } from './http/access/sign-in-token.ts';
import type { LogLines } from './logging/log-lines.ts';
import type { Logger } from './logging/logger.ts';
import type { Metric } from './metrics/metrics.ts';
import type { Resilience } from './resilience/resilience.ts';

export interface Part {
  /** The name of its folders, and what `npm run strip` calls it. */
  readonly name: string;
  /** Registers routes of the API: held while the server starts, refused while it is overloaded. */
  routes?(app: FastifyInstance, brought: Brought): Promise<void>;
  /** Registers routes that are answered in every state. They work without the database. */
  routesInEveryState?(app: FastifyInstance, brought: Brought): Promise<void>;
  /** Asked by `/health`, and by `/ready` where they are required. */
  readonly checks?: readonly Check[];
  /** Judged while requests come; each has a section of docs/runbook.md under its name. */
  readonly alertRules?: readonly AlertRule[];
  /** What a scrape of `/metrics` reads. */
  readonly metrics?: readonly Metric[];
  /** What is missing for production, and what to do about it. */
  readonly findings?: readonly Finding[];
  /** Where pages may load from besides this origin, by directive of the content security policy. Name hosts. */
  readonly contentSources?: Readonly<Record<string, readonly string[]>>;
  /** The path of a screen for operators. In development the terminal shows a link that signs in there. */
  readonly signInPath?: string;
  /** Where a person starts the server at a terminal, in development: a further link to show there, once it is ready. */
  startLink?(): Promise<{ readonly label: string; readonly path: string } | undefined>;
  /** Where no links can be shown, in development: what to do first, as one line for the log. */
  startHint?(): Promise<string | undefined>;
  /** What it publishes to pages, by the name of the topic. */
  readonly eventTopics?: Readonly<Record<string, EventTopic>>;
  /** What a user may be allowed, by its name such as `notes:write`: what it means, for who grants it. Roles map to them. */
  readonly permissions?: Readonly<Record<string, string>>;
  /** What it holds of a person. */
  readonly personalData?: PersonalData;
  /** Finds what something else has done to the tables. One part at most. */
  readonly findAdoption?: FindAdoption;
  /** Subcommands of `main.js`, by name. */
  readonly commands?: Readonly<Record<string, Command>>;
  /** Ends what it holds, when requests have finished and before the database's pool ends. */
  end?(): Promise<void>;
}

/** What all parts bring together, for those that show it. */
export interface Brought {
  readonly alertRules: readonly AlertRule[];
  readonly findings: readonly Finding[];
  readonly eventTopics: ReadonlyMap<string, EventTopic>;
  readonly permissions: ReadonlyMap<string, string>;
  /** By the name of the part. */
  readonly personalData: ReadonlyMap<string, PersonalData>;
}

/** A person's data in one part, for export and erasure. `email` is for parts that know people by address alone, such as mail. */
export interface PersonalData {
  /** @returns What the part holds of the person, as JSON; undefined where that is nothing. */
  export(userId: string, email: string): Promise<unknown>;
  /** Erases it, in the transaction that erases the account. */
  erase(tx: Transaction, userId: string, email: string): Promise<void>;
}

/** Who may read events of a topic. Asked when a page subscribes, and again every 15 s and when `identityChanged` says so. */
export interface EventTopic {
  /** As of a route. */
  readonly access: AccessLevel;
  /**
   * Judges further. `request.scope` is set where `access` is `user`.
   *
   * @param key What stands behind the colon: `42` of `orders:42`.
   */
  mayRead?(request: FastifyRequest, key: string | undefined): boolean | Promise<boolean>;
}

/** Tells open pages what has happened. A module such as realtime supplies it; `server/app.ts` hands it on. */
export interface Events {
  /**
   * Tells every page that reads the topic, on whichever replica, once the transaction is committed, and at least once.
   *
   * @param topic One that a part declares in its `eventTopics`, with a key behind a colon where there are many: `orders:42`.
   * @param payload Ids rather than content, up to 1,000 bytes as JSON: the page reads the rest, where its access is checked.
   * @throws TypeError for a topic that is not declared, or a larger payload.
   */
  publish(tx: Transaction, topic: string, payload: unknown): Promise<void>;
  /** A session has ended, or what a person may do has changed: their open streams are judged again, on every replica. */
  identityChanged(userId: string): Promise<void>;
}

/** When an operator is to be told. */
export interface AlertRule {
  readonly name: string;
  /** The problem in one sentence, for an operator. */
  readonly summary: string;
  /** `critical`: visitors notice, get up. `warning`: they soon may. */
  readonly severity: 'warning' | 'critical';
  /** What `value` and `threshold` count. */
  readonly unit: string;
  readonly threshold: number;
  /** It fires below the threshold instead of above. */
  readonly below?: true;
  /** It ends at this value, a little off the threshold, so that one that swings around it is told once. */
  readonly endsAt: number;
  /** How long it must last before it fires. */
  readonly forSeconds: number;
  /** @returns Its value now; null where nothing is known. */
  value(): number | null;
}

/** One row of production readiness. */
export interface Finding {
  readonly name: string;
  readonly title: string;
  judge(): Verdict | Promise<Verdict>;
}

export type Verdict =
  | { readonly status: 'pass'; readonly detail: string }
  | { readonly status: 'warn' | 'fail'; readonly detail: string; readonly remedy: string };

export interface Command {
  /** One line: its arguments, and what it does. */
  readonly help: string;
  /** It runs until it is stopped: it logs at `LOG_LEVEL`, to standard error, and answers `/metrics` and the probes on `METRICS_PORT`. */
  readonly keepsRunning?: true;
  /**
   * @param signal Aborted when the process is to stop.
   * @param ready Called by one that keeps running, once it does its work: from then on `/ready` answers 200.
   * @returns The exit code. Default: 0.
   */
  run(args: readonly string[], signal: AbortSignal, ready: () => void): Promise<number | undefined>;
}

/**
 * What `createApp` hands to the parts.
 *
 * @typeParam Own The settings that `config` holds besides the platform's: `typeof settings` of `server/settings.ts`, or of a part.
 */
export interface Platform<Own extends Declaration = UnknownSettings> {
  readonly config: Config<Own>;
  readonly settings: readonly EffectiveSetting[];
  /** From package.json, and the name of this process among others that run it. */
  readonly about: { readonly name: string; readonly version: string; readonly instance: string };
  readonly log: Logger;
  /** What is written to the log, as it is written. */
  readonly logLines: LogLines;
  readonly database: Database;
  readonly db: Database['db'];
  /** The process's one connection that LISTENs. */
  readonly listener: Listener;
  /** The process's one timer for due times. */
  readonly clock: Clock;
  readonly probeSources: ProbeSources;
  /** Calls to other services, protected. */
  readonly resilience: Resilience;
  /** A folder of the disk that may fill. */
  readonly folder: string;
  /** The built client; undefined where Vite serves it from its sources. */
  readonly clientFolder: string | undefined;
  /** Signs in who sees the terminal; only where there is one. */
  readonly signInToken?: SignInToken | undefined;
}

/** Whose rows a request may see. A module adds what else it knows, such as an organisation, by merging. */
export interface Scope {
  readonly userId: string;
  /** What the user may do. Undefined where nothing is declared: everything. */
  readonly permissions?: ReadonlySet<string>;
}

/** On whose behalf something is done. */
export interface Actor {
  readonly userId?: string | undefined;
  readonly organisationId?: string | undefined;
  readonly requestId?: string | undefined;
  /** W3C Trace Context, as it came. */
  readonly traceparent?: string | undefined;
}

/** Tells who a request comes from. A module such as accounts supplies it; `server/app.ts` hands it on. */
export interface Identity {
  /**
   * Asked before each route, and for each topic, with `access: 'user'` or a permission; a route reads what it returns as
   * `request.scope`.
   *
   * @param permission What is asked for; undefined for `access: 'user'`.
   * @returns Undefined where nobody is signed in, which is answered 401.
   * @throws ProblemError `forbidden` where the user may not; `unauthorized` with a challenge of its own. Any other error is a 500.
   */
  identify(request: FastifyRequest, permission?: string): Scope | undefined | Promise<Scope | undefined>;
  /**
   * Asked before each route with `access: 'operator'` that carries neither a key of `INTERNAL_API_KEY` nor a session of one.
   *
   * @returns The operator who is signed in; undefined where nobody is, or a user who is none.
   * @throws ProblemError as `identify` does, where the person must do something first.
   */
  identifyOperator?(request: FastifyRequest): Promise<Scope | undefined>;
  /** How users identify, for the API's description: security schemes of OpenAPI, by name. Those `in: 'cookie'` serve operators too. */
  readonly securitySchemes?: Readonly<Record<string, object>>;
}

/** What `server/app.ts` returns. */
export interface Application {
  /** The template's, in the order in which their routes are registered. */
  readonly modules: readonly Part[];
  /** Yours. */
  readonly features: readonly Part[];
  /** Tells who is signed in. Without it `access: 'user'` admits everybody, which is said at start. */
  readonly identity?: Identity | undefined;
  /** Checks of your own that belong to no part. */
  readonly checks?: readonly Check[];
}
