import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type DatabaseSettings, resolveDatabase } from './config-database.ts';
import { LOOK_ALIKES, type Name, SETTINGS, type Setting, type Values } from './config-settings.ts';
import { type Context, type Environment, type Platform, Refusal } from './config-values.ts';

export type { DatabaseConnection, DatabaseSettings, DatabaseTls } from './config-database.ts';
export type { Environment, Platform } from './config-values.ts';

export interface ListenAddress {
  /** Addresses to listen on; more than one where both loopback families are meant. */
  hosts: string[];
  port: number;
  /** Whether the port was chosen by someone, so that it must not be moved. */
  portGiven: boolean;
  hostGiven: boolean;
}

export interface Config {
  environment: Environment;
  platform: Platform;
  /** An origin, such as `https://app.example.com`. */
  publicUrl: string | undefined;
  /** Lower-case host names, `*.` for any subdomain; empty: any host. */
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
    requestTimeoutMs: number;
    keepAliveTimeoutMs: number;
    maxConnections: number;
  };
  /** The first signs; empty: browser sign-in is off. */
  sessionSecrets: string[];
  /** Empty: the operators' doors are closed. */
  internalApiKeys: string[];
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
  variable: string;
  problem: string;
  remedy: string;
}

/** Everything that is wrong at once, readable on a terminal. The process should print the message and exit with 78. */
export class ConfigError extends Error {
  readonly problems: ConfigProblem[];

  constructor(problems: ConfigProblem[]) {
    const count = problems.length === 1 ? 'one setting is' : `${problems.length} settings are`;
    const lines = problems.map(
      ({ variable, problem, remedy }) => `  ${variable}\n    ${problem}.\n    → ${remedy}`,
    );
    super(`The server cannot start, because ${count} not right:\n\n${lines.join('\n\n')}\n`);
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
  const reading = new Reading(env, folder, inContainer);
  return reading.listenAddress();
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
  if (context.environment !== 'production') reading.generateSecrets(join(dataDir, 'secrets.json'));
  const database = resolveDatabase(values, context, folder, env, reading);
  reading.checkTogether();
  reading.remarkOnStrangers();
  if (problems.length > 0) throw new ConfigError(problems);

  const config: Config = {
    environment: context.environment,
    platform: context.platform,
    publicUrl: values.PUBLIC_URL,
    allowedHosts: allowedHosts(values),
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
      requestTimeoutMs: values.REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: values.KEEP_ALIVE_TIMEOUT_MS,
      maxConnections: values.MAX_CONNECTIONS,
    },
    sessionSecrets: values.SESSION_SECRET ?? [],
    internalApiKeys: values.INTERNAL_API_KEY ?? [],
    hsts: values.HSTS,
    metrics: { enabled: values.ENABLE_METRICS, port: values.METRICS_PORT },
    log: {
      level: values.LOG_LEVEL,
      file: values.LOG_FILE && resolve(folder, values.LOG_FILE),
      fileMaxBytes: values.LOG_FILE_MAX_BYTES,
      fileCount: values.LOG_FILE_COUNT,
    },
    shutdown: { drainDelayMs: values.DRAIN_DELAY_MS, timeoutMs: values.SHUTDOWN_TIMEOUT_MS },
    maxInstances: values.MAX_INSTANCES,
  };
  return { config, warnings, settings: reading.settings };
}

function allowedHosts({ ALLOWED_HOSTS: hosts = [], PUBLIC_URL: url }: Values): string[] {
  return hosts.length > 0 && url ? [...new Set([...hosts, new URL(url).hostname])] : hosts;
}

/** One place that values come from; the first that holds a setting decides it. */
interface Source {
  label: string;
  variables: Record<string, string | undefined>;
}

interface Found {
  text: string;
  /** The variable that held it. */
  variable: string;
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
  readonly #sources: Source[] = [];

  constructor(env: NodeJS.ProcessEnv, folder: string, inContainer?: boolean) {
    this.#folder = folder;
    this.#sources.push({ label: 'environment', variables: readable(env) });
    this.#addFile('.env');
    const platform = platformOf(env, inContainer);
    this.context = { environment: 'production', platform, warn: (text) => this.warn(text) };
    this.read('NODE_ENV');
    this.context.environment = this.values.NODE_ENV ?? 'production';
    if (this.context.environment === 'production') this.#addFile('.env.production', 1);
  }

  warn(text: string): void {
    this.warnings.push(text);
  }

  problem(variable: string, problem: string, remedy: string): void {
    this.problems.push({ variable, problem, remedy });
  }

  listenAddress(): ListenAddress {
    const given = (name: 'HOST' | 'PORT') => {
      if (!(name in this.values)) this.read(name);
      return this.settings.find((setting) => setting.name === name)?.origin !== 'default';
    };
    const [hostGiven, portGiven] = [given('HOST'), given('PORT')];
    return { hosts: this.values.HOST, port: this.values.PORT, portGiven, hostGiven };
  }

  /** Reads one setting into `values`. One that is refused gets its default, so that the others can be judged too. */
  read(name: Name): void {
    if (name in this.values) return;
    const setting: Setting = SETTINGS[name];
    const found = this.#find(name, setting);
    let value: unknown;
    let origin = 'default';
    if (found) {
      try {
        value = setting.parse(found.text, this.context);
        origin = found.origin;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.problem(found.variable, error.message, error.remedy);
      }
    }
    if (value === undefined) value = defaultOf(setting, this.context);
    Object.assign(this.values, { [name]: value });
    this.settings.push({ name, value: shown(setting, value, found?.text), origin });
  }

  /** Looks in one source after the other; within one, several names for one setting must agree. */
  #find(name: Name, setting: Setting): Found | undefined {
    for (const { label, variables } of this.#sources) {
      const all: Found[] = [];
      for (const variable of [name, ...(setting.aliases ?? [])]) {
        const origin = variable === name ? label : `alias ${variable}`;
        const text = setting.secret ? variables[variable] : variables[variable]?.trim();
        if (text) all.push({ text, variable, origin });
        const path = setting.secret && variables[`${variable}_FILE`]?.trim();
        const content = path ? this.#readSecretFile(`${variable}_FILE`, path) : undefined;
        if (content) all.push({ text: content, variable: `${variable}_FILE`, origin: `${variable}_FILE` });
      }
      const [first, ...others] = all;
      if (!first) continue;
      const different = others.find((other) => other.text !== first.text);
      if (different) {
        const both = `and ${different.variable} are one setting, and have different values`;
        this.problem(first.variable, both, `Keep one of them, best ${name}.`);
      }
      if (first.variable !== name && first.variable !== `${name}_FILE`) {
        this.warn(`${first.variable} is read as ${name}; write ${name}.`);
      }
      return first;
    }
    return undefined;
  }

  #readSecretFile(variable: string, path: string): string | undefined {
    try {
      const text = readFileSync(resolve(this.#folder, path), 'utf8').replace(/\r?\n$/, '');
      if (text) return text;
      this.problem(variable, `names an empty file: ${path}`, 'Write the secret into it.');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const remedy = 'Correct the path, or let the user that runs the server read it.';
      this.problem(variable, `names a file that cannot be read: ${path} (${code})`, remedy);
    }
    return undefined;
  }

  #addFile(label: string, at = this.#sources.length): void {
    try {
      const text = readFileSync(join(this.#folder, label), 'utf8').replace(/^\uFEFF/, '');
      this.#sources.splice(at, 0, { label, variables: parseEnv(text) });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.warn(`${label} could not be read (${code}) and is left out.`);
    }
  }

  /** Makes what is missing of the secrets, once for each clone. */
  generateSecrets(file: string): void {
    const missing = (['SESSION_SECRET', 'INTERNAL_API_KEY'] as const).filter((name) => !this.values[name]);
    if (missing.length === 0) return;
    const kept = keptSecrets(file);
    const wanted = missing.filter((name) => !kept[name]);
    for (const name of wanted) kept[name] = randomBytes(32).toString('base64url');
    let secrets = kept;
    if (wanted.length > 0) {
      try {
        secrets = keepSecrets(file, kept);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        this.warn(
          `${file} could not be written (${code}): ${wanted.join(' and ')} will be new at every start.`,
        );
      }
    }
    for (const name of missing) {
      this.values[name] = [secrets[name] ?? ''];
      const setting = this.settings.find((candidate) => candidate.name === name);
      if (setting) Object.assign(setting, { value: MASK, origin: 'generated' });
    }
  }

  /** Rules that concern more than one setting. */
  checkTogether(): void {
    const { values } = this;
    if (values.RATE_LIMIT_STORE === 'redis' && !values.REDIS_URL) {
      this.problem(
        'RATE_LIMIT_STORE',
        'is redis, but REDIS_URL is not set',
        'Set REDIS_URL=redis://:password@host:6379, or RATE_LIMIT_STORE=memory.',
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

  /** Variables that are not ours but look as if they were meant to be. */
  remarkOnStrangers(): void {
    const strangers = new Map(
      this.#sources.toReversed().flatMap(({ variables }) => Object.entries(variables)),
    );
    for (const [variable, text] of strangers) {
      const value = text?.trim();
      if (!value) continue;
      const hint = LOOK_ALIKES[variable];
      if (hint) {
        if (hint.when?.(value, this.values) ?? true) this.warn(`${variable} ${hint.text}`);
      } else if (!KNOWN.has(variable)) {
        const meant = nearest(variable);
        if (meant) this.warn(`${variable} is not read; did you mean ${meant}?`);
      }
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

const defaultOf = ({ default: value }: Setting, context: Context): unknown =>
  typeof value === 'function' ? value(context) : value;

const MASK = '(secret)';

function shown(setting: Setting, value: unknown, text: string | undefined): string {
  if (value === undefined) return '';
  if (setting.secret === 'value') return MASK;
  if (setting.secret === 'url')
    return String(text).replace(/^([a-z]+:\/\/)?.*?(@[^@]*?)?(\?.*)?$/is, '$1(secret)$2');
  return Array.isArray(value) ? value.join(',') : String(value);
}

function keptSecrets(file: string): Record<string, string | undefined> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

/** Writes the file whole or not at all. Of several starters the first wins, and all go on with its secrets. */
function keepSecrets(
  file: string,
  secrets: Record<string, string | undefined>,
): Record<string, string | undefined> {
  const draft = `${file}.${process.pid}`;
  mkdirSync(resolve(file, '..'), { recursive: true });
  writeFileSync(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
    rmSync(draft);
    return secrets;
  } catch {
    const others = keptSecrets(file);
    const merged = { ...secrets, ...others };
    if (Object.keys(merged).length > Object.keys(others).length) renameSync(draft, file);
    else rmSync(draft);
    return merged;
  }
}

const KNOWN: ReadonlySet<string> = new Set(
  Object.entries(SETTINGS as Record<string, Setting>).flatMap(([name, { aliases = [], secret }]) =>
    [name, ...aliases].flatMap((variable) => (secret ? [variable, `${variable}_FILE`] : [variable])),
  ),
);

/** The setting that a variable is a misspelling of: the same beginning, a length of 8 or more, at most two slips. */
function nearest(variable: string): string | undefined {
  if (variable.length < 7 || variable.startsWith('PG')) return undefined;
  const upper = variable.toUpperCase();
  for (const known of KNOWN) {
    const slips = known.length >= 10 ? 2 : 1;
    if (known.length < 8 || known[0] !== upper[0] || Math.abs(known.length - upper.length) > slips) continue;
    if (editDistance(upper, known) <= slips) return known;
  }
  return undefined;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
