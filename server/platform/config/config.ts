import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import util from 'node:util';
import { type DatabaseSettings, resolveDatabase } from './database.ts';
import { remarkOn } from './hints.ts';
import { allowedHosts } from './hosts.ts';
import { clonesSecrets } from './secrets.ts';
import { type Name, SETTINGS, type Setting, type Values } from './settings.ts';
import { type Context, type Environment, LOOPBACK, type Platform, Refusal } from './values.ts';

export type { DatabaseConnection, DatabaseSettings, DatabaseTls } from './database.ts';
export type { Environment, Platform } from './values.ts';

export interface ListenAddress {
  /** Addresses to listen on; more than one where both loopback families are meant. */
  hosts: string[];
  port: number;
  /** Whether the port was chosen by someone, so that it must not be moved. */
  portGiven: boolean;
  hostGiven: boolean;
  /**
   * Whether a taken port may be exchanged for the next free one: in development, where nobody chose it. Not in a Replit
   * workspace, whose preview shows the one port that `.replit` names.
   */
  mayMove: boolean;
  /** Where scrapers are let in, if anywhere. */
  metrics?: { hosts: string[]; port: number } | undefined;
}

export interface Config {
  environment: Environment;
  platform: Platform;
  /** An origin, such as `https://app.example.com`. */
  publicUrl: string | undefined;
  /** Lower-case host names, `*.` for any subdomain; empty, in production alone: any host. */
  allowedHosts: string[];
  listen: ListenAddress;
  /** Absolute path of the folder that holds the secrets of development and the embedded PostgreSQL. */
  dataDir: string;
  database: DatabaseSettings;
  startupHoldMs: number;
  trustProxy: string[] | false;
  corsOrigins: string[];
  rateLimit: { max: number; windowMs: number; store: 'memory' | 'postgres' | 'redis' };
  redisUrl: string | undefined;
  http: {
    bodyLimitBytes: number;
    bodyMemoryBytes: number;
    requestTimeoutMs: number;
    keepAliveTimeoutMs: number;
    maxConnections: number;
  };
  /** The first signs; empty: browser sign-in is off. */
  sessionSecrets: string[];
  /** Empty: the operators' doors are closed. */
  internalApiKeys: string[];
  /** Whether operators may sign in over plain HTTP, in production. */
  allowHttpSignIn: boolean;
  /** The header's value; it belongs on answers over TLS only. */
  hsts: string | false;
  metrics: { enabled: boolean; port: number | undefined };
  log: {
    level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
    /** An absolute path. */
    file: string | undefined;
    fileMaxBytes: number;
    fileCount: number;
  };
  /** An absolute path: where reports of the heap are written. */
  diagnosticsDir: string;
  shutdown: { drainDelayMs: number; timeoutMs: number };
  maxInstances: number;
}

/** One line of the operators' page on configuration. */
export interface EffectiveSetting {
  name: Name;
  /** As text; secrets are masked. */
  value: string;
  /** `default`, `environment`, `.env`, `.env.production`, `NAME_FILE`, `alias NAME` or `generated`. */
  origin: string;
}

export interface LoadedConfig {
  config: Config;
  /** For the log, once it is open; whole sentences without any secret. */
  warnings: string[];
  settings: EffectiveSetting[];
}

export interface ConfigProblem {
  /** The variable that held the value: an alias or a `NAME_FILE`, if that is where it came from. */
  variable: string;
  problem: string;
  remedy: string;
  /** The file that held the variable; absent for the environment. */
  file?: string;
}

/** Everything that is wrong at once, readable on a terminal. The process should print the message and exit with 78. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  /** @param warnings Said as well, since a misspelled variable often explains a missing one. */
  constructor(problems: readonly ConfigProblem[], warnings: readonly string[]) {
    const what = problems.length === 1 ? 'a setting is' : `${problems.length} settings are`;
    const parts = problems.map(({ variable, problem, remedy, file }) =>
      [`  ${variable}${file ? ` (in ${file})` : ''}`, `    ${problem}.`, `    → ${remedy}`].join('\n'),
    );
    const noticed = warnings.map((text) => `    - ${text}`);
    if (noticed.length > 0) parts.push(['  Also noticed', ...noticed].join('\n'));
    super(`The server cannot start: ${what} not right.\n\n${parts.join('\n\n')}\n`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Where to listen, as far as `HOST` and `PORT` tell, so that the port can open before anything else is loaded.
 *
 * It never throws: what is unusable falls back to the default here, and is refused by {@link loadConfig} a moment later.
 *
 * @param env Variables of the process.
 * @param folder Where `.env` lies.
 * @param inContainer Whether this is a container, where that is known.
 */
export function readListenAddress(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = process.cwd(),
  inContainer?: boolean,
): ListenAddress {
  return new Reading(env, folder, inContainer).listenAddress();
}

/**
 * Reads every setting: from the environment, then `.env.production` (in production), then `.env`.
 *
 * In development a missing `SESSION_SECRET` or `INTERNAL_API_KEY` is made and kept in the data folder.
 *
 * @param env Variables of the process.
 * @param folder Where `.env` and the data folder lie; relative paths start from it.
 * @param inContainer Whether this is a container, where that is known.
 * @throws ConfigError naming every problem at once.
 */
export function loadConfig(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = process.cwd(),
  inContainer?: boolean,
): LoadedConfig {
  const reading = new Reading(env, folder, inContainer);
  const { context, values, warnings, problems } = reading;
  const dataDir = resolve(folder, '.data');

  for (const name of Object.keys(SETTINGS) as Name[]) reading.read(name);
  if (context.environment !== 'production') reading.takeClonesSecrets(join(dataDir, 'secrets.json'));
  const database = resolveDatabase(values, context, folder, env, reading);
  reading.checkTogether();
  reading.remarkOnStrangers();
  if (problems.length > 0) throw new ConfigError(problems, warnings);

  const config: Config = {
    environment: context.environment,
    platform: context.platform,
    publicUrl: values.PUBLIC_URL,
    allowedHosts: reading.allowedHosts(),
    listen: reading.listenAddress(),
    dataDir,
    database,
    startupHoldMs: values.STARTUP_HOLD_MS,
    trustProxy: values.TRUST_PROXY,
    corsOrigins: values.CORS_ORIGINS ?? [],
    rateLimit: {
      max: values.RATE_LIMIT_MAX,
      windowMs: values.RATE_LIMIT_WINDOW_MS,
      store: values.RATE_LIMIT_STORE,
    },
    redisUrl: values.REDIS_URL,
    http: {
      bodyLimitBytes: values.BODY_LIMIT_BYTES,
      bodyMemoryBytes: values.BODY_MEMORY_BYTES,
      requestTimeoutMs: values.REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: values.KEEP_ALIVE_TIMEOUT_MS,
      maxConnections: values.HTTP_MAX_CONNECTIONS,
    },
    sessionSecrets: values.SESSION_SECRET ?? [],
    internalApiKeys: values.INTERNAL_API_KEY ?? [],
    allowHttpSignIn: values.ALLOW_HTTP_SIGN_IN,
    hsts: values.HSTS,
    metrics: { enabled: values.ENABLE_METRICS, port: values.METRICS_PORT },
    log: {
      level: values.LOG_LEVEL,
      file: values.LOG_FILE && resolve(folder, values.LOG_FILE),
      fileMaxBytes: values.LOG_FILE_MAX_BYTES,
      fileCount: values.LOG_FILE_COUNT,
    },
    diagnosticsDir: resolve(folder, values.DIAGNOSTICS_DIR),
    shutdown: { drainDelayMs: values.DRAIN_DELAY_MS, timeoutMs: values.SHUTDOWN_TIMEOUT_MS },
    maxInstances: values.MAX_INSTANCES,
  };
  return { config, warnings, settings: reading.settings };
}

const ENVIRONMENT = 'environment';

/** One place that values come from; the first that holds a setting decides it. */
interface Source {
  label: string;
  variables: Record<string, string | undefined>;
}

interface Found {
  text: string;
  /** The variable that held it. */
  variable: string;
  /** Which of the sources. */
  label: string;
  origin: string;
}

/** One pass over the settings: what was found, and what is to be said about it. */
class Reading {
  readonly context: Context;
  readonly values = {} as Values;
  readonly settings: EffectiveSetting[] = [];
  readonly warnings: string[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #folder: string;
  readonly #previewHost: string | undefined;
  readonly #sources: Source[] = [];
  readonly #found = new Map<Name, Found>();
  readonly #refused = new Set<Name>();

  constructor(env: NodeJS.ProcessEnv, folder: string, inContainer?: boolean) {
    this.#folder = folder;
    this.#sources.push({ label: ENVIRONMENT, variables: readable(env) });
    this.#addFile('.env');
    const platform = platformOf(env, inContainer);
    this.#previewHost = env.REPLIT_DEV_DOMAIN;
    this.context = { environment: 'production', platform, warn: (text) => this.warn(text) };
    this.read('NODE_ENV');
    this.context.environment = this.values.NODE_ENV ?? 'production';
    if (this.context.environment === 'production') this.#addFile('.env.production', 1);
  }

  /** Said once, although two connections may give rise to it. */
  warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text);
  }

  problem(name: Name, problem: string, remedy: string, found = this.#found.get(name)): void {
    const variable = found?.variable ?? name;
    if (this.problems.some((known) => known.variable === variable && known.problem === problem)) return;
    const file = found && found.label !== ENVIRONMENT ? { file: found.label } : {};
    this.problems.push({ variable, problem, remedy, ...file });
    this.#refused.add(name);
  }

  isRefused(name: Name): boolean {
    return this.#refused.has(name);
  }

  listenAddress(): ListenAddress {
    for (const name of ['HOST', 'PORT', 'METRICS_HOST', 'METRICS_PORT'] as const) this.read(name);
    const { HOST, PORT, METRICS_HOST, METRICS_PORT } = this.values;
    // One that was refused counts as not given; the refusal is told by loadConfig.
    const given = (name: Name) =>
      this.settings.find((setting) => setting.name === name)?.origin !== 'default';
    const portGiven = given('PORT');
    const { environment, platform } = this.context;
    return {
      hosts: HOST,
      port: PORT,
      portGiven,
      hostGiven: given('HOST'),
      mayMove: !portGiven && environment === 'development' && !platform.replit,
      // One that is PORT as well is refused by loadConfig. A container's scraper comes from outside of it.
      metrics:
        METRICS_PORT === undefined || METRICS_PORT === PORT
          ? undefined
          : { hosts: METRICS_HOST ?? (platform.container ? HOST : LOOPBACK), port: METRICS_PORT },
    };
  }

  allowedHosts(): string[] {
    return allowedHosts(this.values, this.context, this.#previewHost);
  }

  /** Reads one setting into `values`. One that is refused gets its default, so that the others can be judged too. */
  read(name: Name): void {
    if (name in this.values) return;
    const setting: Setting = SETTINGS[name];
    const found = this.#find(name, setting);
    let value: unknown;
    let origin = 'default';
    if (found) {
      this.#found.set(name, found);
      try {
        value = setting.parse(found.text, this.context);
        origin = found.origin;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.problem(name, error.message, error.remedy);
      }
    }
    if (origin === 'default') {
      value = typeof setting.default === 'function' ? setting.default(this.context) : setting.default;
    }
    Object.assign(this.values, { [name]: value });
    this.settings.push({ name, value: shown(setting, value), origin });
  }

  /** Looks in one source after the other; within one, several names for one setting must agree. */
  #find(name: Name, setting: Setting): Found | undefined {
    for (const { label, variables } of this.#sources) {
      const all = [name, ...(setting.aliases ?? [])].flatMap((variable): Found[] => {
        const origin = variable === name ? label : `alias ${variable}`;
        const direct = { text: tidy(variables[variable], setting), variable, label, origin };
        return setting.secret
          ? [direct, this.#findInFile(name, setting, `${variable}_FILE`, { label, variables })]
          : [direct];
      });
      for (const [variable, rewrite] of Object.entries(setting.rewritten ?? {})) {
        const found = { text: '', variable, label, origin: `alias ${variable}` };
        const text = tidy(variables[variable], setting);
        if (text) all.push({ ...found, text: this.#rewritten(name, text, rewrite, found) });
      }
      const [first, ...others] = all.filter(({ text }) => text !== '');
      if (!first) continue;
      const different = others.find(({ text }) => text !== first.text);
      if (different) {
        const problem = `has another value than ${different.variable}, and both are the same setting`;
        this.problem(name, problem, `Keep one of them; ${name} is the name used here.`, first);
      }
      if (first.variable !== name && first.variable !== `${name}_FILE`) {
        this.warn(`${first.variable} is read as ${name}, which is the name used here.`);
      }
      return first;
    }
    return undefined;
  }

  /** @returns Nothing for what is refused. */
  #rewritten(name: Name, text: string, rewrite: (text: string) => string, found: Found): string {
    try {
      return rewrite(text);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem(name, error.message, error.remedy, found);
      return '';
    }
  }

  #findInFile(name: Name, setting: Setting, variable: string, { label, variables }: Source): Found {
    const found = { text: '', variable, label, origin: variable };
    const path = variables[variable]?.trim();
    if (!path) return found;
    try {
      found.text = tidy(readFileSync(resolve(this.#folder, path), 'utf8'), setting);
      if (!found.text) this.problem(name, `names an empty file, ${path}`, 'Write the secret into it.', found);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const remedy = 'Correct the path, or let the user that runs the server read the file.';
      this.problem(name, `names a file that cannot be read, ${path} (${code})`, remedy, found);
    }
    return found;
  }

  #addFile(label: string, at = this.#sources.length): void {
    try {
      const text = readFileSync(join(this.#folder, label), 'utf8').replace(/^\uFEFF/, '');
      this.#sources.splice(at, 0, { label, variables: util.parseEnv(text) });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.warn(`${label} could not be read (${code}) and is left out.`);
    }
  }

  /** Takes what is missing of the secrets from the clone's own, which are made once. */
  takeClonesSecrets(file: string): void {
    const missing = (['SESSION_SECRET', 'INTERNAL_API_KEY'] as const).filter((name) => !this.values[name]);
    if (missing.length === 0) return;
    const { secrets, unkept, exposed } = clonesSecrets(file, missing);
    if (exposed && !this.values.HOST.every((host) => LOOPBACK.includes(host))) {
      this.warn(
        `${file} is from a version whose development server answered it to anybody who reached its port. Delete it: the next start makes new secrets.`,
      );
    }
    if (unkept) {
      this.warn(
        `${file} could not be written (${unkept}): ${missing.join(' and ')} will be new at every start.`,
      );
    }
    for (const name of missing) {
      this.values[name] = [secrets[name]];
      const setting = this.settings.find((candidate) => candidate.name === name);
      if (setting) Object.assign(setting, { value: MASK, origin: 'generated' });
    }
  }

  /** Rules that concern more than one setting. */
  checkTogether(): void {
    const { values } = this;
    if (values.RATE_LIMIT_STORE === 'redis' && !values.REDIS_URL && !this.isRefused('REDIS_URL')) {
      this.problem(
        'RATE_LIMIT_STORE',
        'is redis, but REDIS_URL is not set',
        'Set REDIS_URL=redis://:password@host:6379, or RATE_LIMIT_STORE=memory.',
      );
    }
    if (values.REDIS_URL && values.RATE_LIMIT_STORE !== 'redis') {
      this.warn(
        `REDIS_URL is set, and nothing uses it while RATE_LIMIT_STORE is ${values.RATE_LIMIT_STORE}. Set RATE_LIMIT_STORE=redis, or unset REDIS_URL.`,
      );
    }
    if (values.METRICS_PORT !== undefined && values.METRICS_PORT === values.PORT) {
      this.problem('METRICS_PORT', `is ${values.PORT}, which is PORT`, 'Choose another, such as 9464.');
    }
    if (values.DRAIN_DELAY_MS >= values.SHUTDOWN_TIMEOUT_MS) {
      this.warn(
        `DRAIN_DELAY_MS (${values.DRAIN_DELAY_MS}) leaves nothing of SHUTDOWN_TIMEOUT_MS (${values.SHUTDOWN_TIMEOUT_MS}) for requests to finish: make it smaller.`,
      );
    }
  }

  /** Says what is to be said about variables that are not ours but look as if they were meant to be. */
  remarkOnStrangers(): void {
    const variables = Object.assign({}, ...this.#sources.map((source) => source.variables).toReversed());
    for (const [variable, text] of Object.entries<string | undefined>(variables)) {
      const remark = text?.trim() && remarkOn(variable, text.trim(), this.values);
      if (remark) this.warn(remark);
    }
  }
}

/** A copy, because `process.env` asks the system at each access; on Windows its names have no case. */
function readable(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (process.platform !== 'win32') return { ...env };
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]));
}

function platformOf(env: NodeJS.ProcessEnv, inContainer?: boolean): Platform {
  const kubernetes = Boolean(env.KUBERNETES_SERVICE_HOST);
  return {
    replit: env.REPLIT_DEPLOYMENT === '1' ? 'deployment' : env.REPL_ID ? 'workspace' : undefined,
    kubernetes,
    // The marks that Docker and Podman leave in every container.
    container: kubernetes || (inContainer ?? (existsSync('/.dockerenv') || existsSync('/run/.containerenv'))),
  };
}

/** Secrets keep their spaces, but not the line ending that files and orchestrators leave behind them. */
function tidy(text: string | undefined, setting: Setting): string {
  if (!text?.trim()) return '';
  return setting.secret === 'value' ? text.replace(/[\r\n]+$/, '') : text.trim();
}

const MASK = '(secret)';

function shown(setting: Setting, value: unknown): string {
  if (value === undefined) return '';
  if (setting.secret === 'value') return MASK;
  if (setting.secret !== 'url') {
    const text = Array.isArray(value) ? value.join(',') : String(value);
    // A file of certificates may hold a key as well.
    return text.includes('-----BEGIN') ? '(PEM text)' : text;
  }
  const url = URL.parse(String(value));
  // An @ behind the host is that of a password that was not encoded, part of which would be shown.
  const isWhole = url && !`${url.pathname}${url.search}${url.hash}`.includes('@');
  return isWhole ? `${url.protocol}//${MASK}@${url.host}${url.pathname}` : MASK;
}
