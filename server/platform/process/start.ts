import { dirname, join, relative } from 'node:path';
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ClientConfig } from 'pg';
import type { Config, LoadedConfig } from '../config/config.ts';
import type { EffectiveSetting } from '../config/reader.ts';
import type { Declaration, UnknownSettings } from '../config/setting.ts';
import { withWayOut } from '../database/migrations/migration-errors.ts';
import { migrationStatus } from '../database/migrations/migration-status.ts';
import { type MigrateOptions, migrate } from '../database/migrations/migrator.ts';
import { createDatabase, type Database } from '../database/pool/pool.ts';
import { findUnavailable } from '../database/pool/unavailable.ts';
import { CheckFailure } from '../health/health-checks.ts';
import type { Lifecycle } from '../health/lifecycle.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import { SignInToken } from '../http/access/sign-in-token.ts';
import type { LogLines } from '../logging/log-lines.ts';
import { createLogger, type Logger, type ServerLogger } from '../logging/logger.ts';
import { reportWhenOutOfMemory } from '../metrics/heap.ts';
import { metricsListener } from '../metrics/metrics-listener.ts';
import type { Application, Platform } from '../parts.ts';
import { about, BUILT_CLIENT, BUNDLED, MAIN, MIGRATIONS, ROOT } from './about.ts';
import type { OpenPort } from './port.ts';

/**
 * The log, from the moment when the configuration is known; begins with what the configuration has to say.
 *
 * Every change of state is one line, with how long the state before had lasted.
 */
export async function startLog(
  { config, warnings }: LoadedConfig,
  lifecycle: Lifecycle,
): Promise<ServerLogger> {
  const logger = await createLogger(config.log, process.stdout.isTTY);
  for (const warning of warnings) logger.log.warn(warning);
  if (config.internalApiKeys.length === 0) {
    logger.log.info('INTERNAL_API_KEY is unset: what is for operators stays closed');
  }
  lifecycle.onTransition(({ from, to, lastedMs }) => {
    logger.log.info({ from, to, lastedMs: Math.round(lastedMs) }, `${from} → ${to}`);
  });
  return logger;
}

const UNREACHED = 'it cannot be reached';

/** What the drain has to end. Filled in as start-up goes on, because a signal may come at any moment. */
export interface Running {
  app?: FastifyInstance;
  database?: Database;
  /** Ends this process's hold on the embedded PostgreSQL. */
  releaseEmbedded?: () => Promise<void>;
}

/** Loads `server/app.ts`. */
export type LoadApplication<Own extends Declaration = UnknownSettings> = () => Promise<{
  createApp(platform: Platform<Own>): Application;
}>;

export interface StartParts {
  config: Config;
  settings: readonly EffectiveSetting[];
  log: Logger;
  logLines: LogLines;
  /** Writes out what the log has buffered. */
  flush: () => void;
  port: OpenPort;
  /** A port for scrapers, which answers to the end of the process. */
  metricsPort: OpenPort | undefined;
  probeSources: ProbeSources;
  /** Aborted when the process is told to stop. */
  signal: AbortSignal;
  /** Serve the client from its sources, through Vite. */
  fromSources: boolean;
  loadApplication: LoadApplication;
  running: Running;
}

/**
 * From an open port to a server that is ready.
 *
 * The application is loaded while the database is being reached; migrations come when both are there. A database that
 * is away is no failure: it is asked again until it answers or `signal` aborts.
 *
 * @throws MigrationError when a migration's own SQL or the recorded history is wrong.
 */
export async function start(parts: StartParts): Promise<void> {
  const { config, log, port, probeSources, signal, running } = parts;
  const { lifecycle, checks } = probeSources;
  reportWhenOutOfMemory(config.diagnosticsDir, log);
  port.onNoRoom = (err) => log.error({ err }, 'a connection could not be taken: no file can be opened');

  // An embedded PostgreSQL tells its address once it runs; the application is loaded meanwhile, and serves its pages.
  const connection = config.database.connection ?? startEmbedded(parts);
  const database = createDatabase({ ...config.database, connection, applicationName: about.name }, log);
  running.database = database;
  checks.register({
    name: 'database',
    required: true,
    timeoutMs: config.database.connectTimeoutMs,
    async known() {
      const verdict = await database.verdict();
      return verdict === 'away' ? new CheckFailure(UNREACHED) : verdict && 'passing';
    },
    async run(abort) {
      await database.probe(abort).catch((error) => {
        throw new CheckFailure(UNREACHED, { cause: error });
      });
      return undefined;
    },
  });

  const signInToken = isAtOwnTerminal(config) ? new SignInToken() : undefined;
  const reached = lifecycle.step('database', async () => {
    await connection;
    await reach(database, parts);
  });
  const loaded = lifecycle.step('application', async () => {
    // Loading is work in one piece: before it, the database's first answers and probes that knock get their turn.
    await breathe();
    const { createApp } = await parts.loadApplication();
    const { createPipeline } = await import('../http/pipeline.ts');
    await breathe();
    const { server } = port;
    const clientFrom = !BUNDLED && parts.fromSources ? await fromVite(parts) : { folder: BUILT_CLIENT };
    const platform: Platform = {
      config,
      settings: parts.settings,
      about,
      log,
      logLines: parts.logLines,
      database,
      db: database.db,
      probeSources,
      folder: watchedFolder(config),
      signInToken,
    };
    const application = createApp(platform);
    const { app, handler, schemas } = await createPipeline({ platform, application, server, clientFrom });
    parts.logLines.forgetEarly();
    running.app = app;
    server.keepAliveTimeout = config.http.keepAliveTimeoutMs;
    port.handOver(handler);
    const measured = config.metrics.enabled ? app.metricsRegistry : undefined;
    parts.metricsPort?.handOver(metricsListener(measured, probeSources));
    return { schemas, signInPath: application.modules.find((part) => part.signInPath)?.signInPath };
  });
  const [{ schemas, signInPath }] = await Promise.all([loaded, reached]);

  await lifecycle.step(
    'migrations',
    async () => applyMigrations(await connection, database, parts),
    (done) => done,
  );
  signal.throwIfAborted();
  lifecycle.to('ready');
  announce(parts, signInToken && signInPath && `${signInPath}#token=${signInToken.value}`);
  await schemas.compileAll(signal);
}

/** The folder whose disk is watched: the one that is written to most. */
function watchedFolder({ log, database, dataDir, diagnosticsDir }: Config): string {
  if (log.file) return dirname(log.file);
  return database.embedded ? dataDir : diagnosticsDir;
}

/** Whether a person develops here: nobody else can see what is printed, nor reach the port. */
function isAtOwnTerminal({ environment, listen }: Config): boolean {
  const isLoopback = listen.hosts.every((host) => ['127.0.0.1', '::1'].includes(host));
  return process.stdout.isTTY && environment === 'development' && isLoopback;
}

/** The address to open, where a person looks for it. A token is for the terminal alone, so it is never logged. */
function announce({ config, log, flush, port }: StartParts, signIn: string | undefined): void {
  const { hosts } = config.listen;
  const named = hosts.find((host) => !['0.0.0.0', '::', '127.0.0.1', '::1'].includes(host)) ?? 'localhost';
  const address = config.publicUrl ?? `http://${named.includes(':') ? `[${named}]` : named}:${port.port}`;
  const moved = port.insteadOf === undefined ? '' : ` (port ${port.insteadOf} is taken)`;
  const readyMs = Math.round(performance.now());
  if (process.stdout.isTTY) {
    // What happened before it stands above it.
    flush();
    const operations = signIn && `http://localhost:${port.port}${signIn}`;
    process.stdout.write(
      `\n  ${about.name} ${about.version} is ready after ${readyMs} ms\n  → ${address}${moved}\n` +
        (operations ? `  operations: ${operations}\n\n` : '\n'),
    );
  } else {
    log.info({ address, readyMs, version: about.version }, `ready: ${address}${moved}`);
  }
}

const embeddedFolder = ({ dataDir }: Config): string => join(dataDir, 'postgres');

async function startEmbedded({ config, log, running, signal }: StartParts) {
  const { startEmbeddedPostgres } = await import('../database/embedded/embedded.ts');
  const postgres = await startEmbeddedPostgres({
    dataDir: embeddedFolder(config),
    database: about.name,
    log: (message) => log.info(message),
    signal,
    ...(BUNDLED ? { guardianCommand: [process.execPath, MAIN, 'postgres-guardian'] } : {}),
  });
  running.releaseEmbedded = () => postgres.release();
  return { connectionString: postgres.url };
}

const UNREACHABLE = 'The database cannot be reached. Trying again.';
/**
 * The longest pause between two attempts, in milliseconds. An attempt on a network that swallows packets takes 3 s, and
 * a database that returns is to be seen within 5.
 */
const MAX_PAUSE_MS = 1_500;

async function reach(database: Database, { probeSources, signal }: StartParts): Promise<void> {
  const { lifecycle } = probeSources;
  for (let pause = 100; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      await database.probe(signal);
      lifecycle.problem = undefined;
      return;
    } catch {
      signal.throwIfAborted();
      lifecycle.problem = UNREACHABLE;
    }
    // Jittered, so that replicas that lost the database together do not return to it together.
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal });
  }
}

async function applyMigrations(
  connection: ClientConfig,
  database: Database,
  parts: StartParts,
): Promise<string> {
  const { config, log, probeSources, signal } = parts;
  const { lifecycle } = probeSources;
  lifecycle.to('migrating');
  const options: MigrateOptions = {
    connection: config.database.direct ?? connection,
    directUrlConfigured: config.database.direct !== undefined,
    folder: MIGRATIONS,
    adopt: config.database.migrateAdopt,
    look: database.pool,
    log,
    signal,
    // The true reason names backends and addresses: it is for the log, where the migrator has put it.
    onWaiting: () => {
      lifecycle.problem =
        'Migrations are waiting for the database or for another process; the log says more.';
    },
  };
  if (!config.database.migrateOnStart) return waitForMigrations(options, parts);
  const { applied, adopted, alreadyApplied } = await migrate(options).catch((error) => {
    const folder = config.database.embedded ? relative('', embeddedFolder(config)) : undefined;
    throw config.environment === 'development' ? withWayOut(error, folder) : error;
  });
  lifecycle.problem = undefined;
  lifecycle.migrations = { applied: applied.length + adopted.length + alreadyApplied, pending: 0 };
  if (applied.length + adopted.length === 0) return `${alreadyApplied} in place`;
  return `${adopted.length > 0 ? `${adopted.length} adopted, ` : ''}${applied.length} applied`;
}

/** With `MIGRATE_ON_START=false` somebody else migrates: it is looked at again whenever somebody asks for readiness. */
async function waitForMigrations(
  options: MigrateOptions,
  { log, probeSources, signal }: StartParts,
): Promise<string> {
  const { lifecycle } = probeSources;
  let said = false;
  for (;;) {
    const status = await migrationStatus(options).catch((error) => {
      if (findUnavailable(error)) return undefined;
      throw error;
    });
    if (status === undefined) {
      lifecycle.problem = UNREACHABLE;
      await lifecycle.nextQuestion(signal);
      continue;
    }
    const { entries, problem } = status;
    if (problem) throw problem;
    const inState = (state: string) => entries.filter((entry) => entry.state === state).length;
    const pending = inState('pending');
    const applied = entries.length - pending - inState('unwritten');
    lifecycle.migrations = { applied, pending };
    if (pending === 0) return `${applied} in place`;
    if (!said) {
      said = true;
      log.warn(
        { pending },
        'migrations are pending and MIGRATE_ON_START is false; waiting for `main.js migrate`',
      );
    }
    lifecycle.problem = `${pending} migrations are pending; they are applied by: main.js migrate`;
    await lifecycle.nextQuestion(signal);
  }
}

async function fromVite({ config, port, probeSources }: StartParts) {
  const { viteDev } = await import('../http/files/vite-dev.ts');
  const { lifecycle } = probeSources;
  const options = { root: ROOT, server: port.server, hosts: config.allowedHosts, lifecycle };
  return { serve: (app: FastifyInstance) => viteDev(app, options) };
}
