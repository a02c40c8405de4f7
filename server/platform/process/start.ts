import { setImmediate as yieldToEvents } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { LoadedConfig } from '../config/config.ts';
import type { Declaration, UnknownSettings } from '../config/setting.ts';
import { checkKeysInUse } from '../database/encryption/keys-in-use.ts';
import type { FindAdoption } from '../database/migrations/adoption.ts';
import { withWayOut } from '../database/migrations/errors.ts';
import { type MigrateOptions, migrate } from '../database/migrations/migrator.ts';
import type { Database } from '../database/pool/pool.ts';
import type { Lifecycle } from '../health/lifecycle.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import { SignInToken } from '../http/access/sign-in-token.ts';
import { createLogger, type ServerLogger } from '../logging/logger.ts';
import { reportWhenOutOfMemory } from '../metrics/heap.ts';
import { metricsListener } from '../metrics/metrics-listener.ts';
import type { Application, Part, Platform } from '../parts.ts';
import { about, BUILT_CLIENT, BUNDLED, MIGRATIONS, ROOT } from './about.ts';
import { announce, isAtOwnTerminal, type Link } from './announce.ts';
import { createPlatform } from './create-platform.ts';
import type { OpenPort } from './port.ts';
import { connect, databaseCheck, untilAnswered, waitForMigrations } from './wait-for-database.ts';

/** Opens the log, as soon as the configuration is known: first its warnings, later one line for each change of state. */
export async function startLog(
  { config, warnings }: LoadedConfig,
  lifecycle: Lifecycle,
): Promise<ServerLogger> {
  const logger = await createLogger(config.log, process.stdout.isTTY);
  for (const warning of warnings) logger.log.warn(warning);
  if (config.internalApiKeys.length === 0) {
    logger.log.info('INTERNAL_API_KEY is unset: the operations pages and APIs are closed');
  }
  lifecycle.onTransition(({ from, to, lastedMs }) => {
    logger.log.info({ from, to, lastedMs: Math.round(lastedMs) }, `${from} → ${to}`);
  });
  return logger;
}

/** What the drain closes. Filled in as start-up goes on, because a signal may come at any moment. */
export interface Running {
  app?: FastifyInstance;
  platform?: Platform;
}

/** Loads `server/app.ts`. */
export type LoadApplication<Own extends Declaration = UnknownSettings> = () => Promise<{
  createApp(platform: Platform<Own>): Application;
}>;

export interface StartParts {
  loaded: LoadedConfig;
  logger: ServerLogger;
  port: OpenPort;
  /** A port for scrapers, which answers until the process exits. */
  metricsPort: OpenPort | undefined;
  probeSources: ProbeSources;
  /** Aborted when the process is to stop. */
  signal: AbortSignal;
  /** Serve the client from its sources, through Vite. */
  fromSources: boolean;
  loadApplication: LoadApplication;
  running: Running;
}

/**
 * Makes a server with an open port ready.
 *
 * The application is loaded while the database connects; then migrations run. A database that is away is no failure: it is
 * tried again until it answers or `signal` aborts.
 *
 * @throws MigrationError when a migration's own SQL or the recorded history is wrong; ConfigError when a key of encrypted columns
 * is missing.
 */
export async function start(parts: StartParts): Promise<void> {
  const { port, probeSources, signal, running } = parts;
  const { config } = parts.loaded;
  const { lifecycle, checks } = probeSources;
  reportWhenOutOfMemory(config.diagnosticsDir, parts.logger.log);

  const signInToken = isAtOwnTerminal(config) ? new SignInToken() : undefined;
  const clientFolder = !BUNDLED && parts.fromSources ? undefined : BUILT_CLIENT;
  const platform = createPlatform(parts.loaded, about.name, parts.logger, probeSources, {
    clientFolder,
    signInToken,
  });
  running.platform = platform;
  const { database, listener } = platform;
  checks.register(databaseCheck(database, config.database.connectTimeoutMs, () => listener.touch()));

  const reached = lifecycle.step('database', () => connect(database, lifecycle, signal));
  const loaded = lifecycle.step('application', async () => {
    // Loading blocks the event loop: first the database's answers and waiting probes get their turn.
    await yieldToEvents();
    const { createApp } = await parts.loadApplication();
    const { createPipeline } = await import('../http/pipeline.ts');
    await yieldToEvents();
    const { server } = port;
    const application = createApp(platform);
    const { app, handler } = await createPipeline({
      platform,
      application,
      server,
      serveClient: (scope) => fromVite(scope, parts),
    });
    parts.logger.lines.forgetEarly();
    running.app = app;
    server.keepAliveTimeout = config.http.keepAliveTimeoutMs;
    port.handOver(handler);
    const measured = config.metrics.enabled ? app.metricsRegistry : undefined;
    parts.metricsPort?.handOver(metricsListener(measured, probeSources));
    return application;
  });
  const [{ modules, features }] = await Promise.all([loaded, reached]);
  const { findAdoption } = [...modules, ...features].find((part) => part.findAdoption) ?? {};

  await lifecycle.step(
    'migrations',
    () => applyMigrations(database, parts, findAdoption),
    (done) => done,
  );
  await untilAnswered(() => checkKeysInUse(platform.db), database, lifecycle, signal);
  signal.throwIfAborted();
  lifecycle.to('ready');
  announce(parts, signInToken ? await linksOf(modules, signInToken, parts.logger) : []);
  if (!signInToken && config.environment === 'development') await logHints(modules, parts.logger);
}

/** For who started the server at a terminal. */
async function linksOf(modules: readonly Part[], token: SignInToken, { log }: ServerLogger): Promise<Link[]> {
  const path = modules.find((part) => part.signInPath)?.signInPath;
  const asked = modules.map((part) => part.startLink?.());
  const further = await answersTo(asked, log, 'links for the terminal could not be made');
  const operations =
    path === undefined ? [] : [{ label: 'operations', path: `${path}#token=${token.value}` }];
  return [...operations, ...further];
}

async function logHints(modules: readonly Part[], { log }: ServerLogger): Promise<void> {
  const asked = modules.map((part) => part.startHint?.());
  const hints = await answersTo(asked, log, 'hints for the first steps could not be made');
  for (const hint of hints) log.info(hint);
}

/** @returns What was answered; nothing where one fails, which is no reason to end a start. */
async function answersTo<T>(
  asked: readonly (Promise<T | undefined> | undefined)[],
  log: ServerLogger['log'],
  failure: string,
): Promise<T[]> {
  try {
    return (await Promise.all(asked)).flatMap((answer) => answer ?? []);
  } catch (err) {
    log.debug({ err }, failure);
    return [];
  }
}

async function applyMigrations(
  database: Database,
  parts: StartParts,
  findAdoption: FindAdoption | undefined,
): Promise<string> {
  const { probeSources, signal } = parts;
  const { config } = parts.loaded;
  const { lifecycle } = probeSources;
  lifecycle.to('migrating');
  const options = {
    connection: config.database.direct ?? config.database.connection,
    directUrlConfigured: config.database.direct !== undefined,
    folder: MIGRATIONS,
    findAdoption,
    look: database.pool,
    log: parts.logger.log,
    signal,
    // The reason names backends and addresses, so only the log has it: the migrator writes it there.
    onWaiting: () => {
      lifecycle.problem =
        'Migrations are waiting for the database or for another process; the log says more.';
    },
  } satisfies MigrateOptions;
  if (!config.database.migrateOnStart) return waitForMigrations(options, lifecycle);
  const { applied, adopted, alreadyApplied } = await migrate(options).catch((error) => {
    throw config.environment === 'development' ? withWayOut(error) : error;
  });
  lifecycle.problem = undefined;
  lifecycle.migrations = { applied: applied.length + adopted.length + alreadyApplied, pending: 0 };
  if (applied.length + adopted.length === 0) return `${alreadyApplied} in place`;
  return `${adopted.length > 0 ? `${adopted.length} adopted, ` : ''}${applied.length} applied`;
}

async function fromVite(app: FastifyInstance, parts: StartParts): Promise<void> {
  const { loaded, port, probeSources } = parts;
  const { viteDev } = await import('../http/files/vite-dev.ts');
  const { lifecycle } = probeSources;
  await viteDev(app, { root: ROOT, server: port.server, hosts: loaded.config.allowedHosts, lifecycle });
}
