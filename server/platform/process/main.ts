/**
 * The process: subcommands, signals, the port, exit codes.
 *
 * What stands in this file is loaded before the port opens, so it imports as little as it can; the server itself is
 * loaded behind the open port. It must parse under Node 20, to be able to say that Node 20 is too old.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig, type OwnSettings, readListenAddress } from '../config/config.ts';
import { ConfigError } from '../config/problems.ts';
import type { UnknownSettings } from '../config/setting.ts';
import { HealthChecks } from '../health/health-checks.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import { probeListener } from '../health/probe-listener.ts';
import type { Logger } from '../logging/logger.ts';
import { about, BUNDLED } from './about.ts';
import { drain, stillOpen } from './drain.ts';
import { openMetricsPort } from './metrics-port.ts';
import { type OpenPort, openPort } from './port.ts';
import type { LoadApplication, Running } from './start.ts';

const OLDEST_NODE = 24;

/** Exit codes (see docs/runbook.md). */
const EXIT = { clean: 0, failed: 1, migration: 70, configuration: 78 } as const;

/** After an error that nothing caught, requests in flight get this long to finish, in milliseconds. */
const CRASH_GRACE_MS = 1_000;

/** The start-up work, in the order in which it is shown. */
const STARTUP_STEPS = ['port', 'configuration', 'application', 'database', 'migrations'];

/** What is looser in development (host names, the content security policy) depends on the environment alone. */
const NOT_FROM_SOURCES = {
  variable: 'NODE_ENV',
  problem: "is production, and the development server answers with the client's sources",
  remedy: 'Unset NODE_ENV, or run `npm start`.',
};

/**
 * Runs the subcommand that the arguments of the process name.
 *
 * @param settings The application's own: `server/settings.ts`.
 * @param loadApplication Loads `server/app.ts`; called once the port is open.
 */
export async function run<Own extends OwnSettings>(
  settings: Own,
  loadApplication: LoadApplication<Own>,
): Promise<void> {
  try {
    await dispatch(settings, loadApplication);
  } catch (error) {
    console.error(error);
    process.exit(EXIT.failed);
  }
}

async function dispatch(settings: UnknownSettings, loadApplication: LoadApplication): Promise<void> {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < OLDEST_NODE) {
    console.error(
      `This is Node ${process.versions.node}; the server needs Node ${OLDEST_NODE} or newer. ` +
        'Install it, or start with `npm start`, which brings its own.',
    );
    process.exit(EXIT.configuration);
  }
  if (BUNDLED) enableCompileCache(join(import.meta.dirname, '.compile-cache'));

  const [command = 'serve', ...args] = process.argv.slice(2);
  switch (command) {
    case 'serve':
    case 'dev':
      return serve(command === 'dev', settings, loadApplication);
    case 'migrate':
      return untilStopped(async (signal) => {
        const { migrateCommand } = await import('./migrate.ts');
        await migrateCommand(args, settings, signal);
      });
    case 'postgres-guardian': {
      const { runPostgresGuardian } = await import('../database/embedded/embedded-guardian.ts');
      return runPostgresGuardian(args);
    }
    default:
      return untilStopped(async (signal) => {
        const { runPartCommand } = await import('./part-command.ts');
        process.exitCode =
          (await runPartCommand(command, args, settings, loadApplication, signal)) ?? EXIT.configuration;
      });
  }
}

/** Does one piece of work that a signal ends. */
async function untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  try {
    await work(stop.signal);
  } catch (error) {
    if (stop.signal.aborted) {
      // Cancelled and rolled back: a job scheduler must not take it for done.
      process.exitCode = EXIT.failed;
      return;
    }
    console.error((error as Error).message);
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.configuration;
  // By name: the class lives in a part that is loaded behind the open port.
  return (error as Error).name === 'MigrationError' ? EXIT.migration : EXIT.failed;
}

/**
 * Serves until it is told to stop.
 *
 * @param fromSources Serve the client through Vite, with hot reload.
 */
async function serve(
  fromSources: boolean,
  own: UnknownSettings,
  loadApplication: LoadApplication,
): Promise<void> {
  const lifecycle = new Lifecycle(STARTUP_STEPS);
  const checks = new HealthChecks((check, error) =>
    log?.debug({ check, err: error }, 'a health check failed'),
  );
  const probeSources = { lifecycle, checks, version: about.version, environment: 'unknown' };
  const running: Running = {};
  const stop = new AbortController();
  let log: Logger | undefined;
  let flush = () => {};
  let port: OpenPort | undefined;
  let shutdown = { drainDelayMs: 0, timeoutMs: 8_000 };

  const end = (code: number): never => {
    if (lifecycle.state !== 'stopped') lifecycle.to('stopped');
    flush();
    process.exit(code);
  };
  const fail = (error: unknown, what: string, code: number = EXIT.failed): never => {
    if (log) log.fatal({ err: error }, what);
    // A message of ours says what to do; a stack would bury it. What is not ours has no cause.
    else console.error(`${what}:`, error instanceof Error && error.cause ? error.message : error);
    return end(code);
  };
  /** Drains once, whoever asks; a limit that comes later and ends sooner holds as well. */
  const stopServing = (delayMs: number, limitMs: number, limit: string): void => {
    setTimeout(() => {
      const open = stillOpen(running);
      log?.error(
        open.details,
        `not everything had ended after ${limit}: stopping all the same, with ${open.summary}`,
      );
      end(EXIT.failed);
    }, limitMs);
    if (stop.signal.aborted) return;
    lifecycle.to('draining');
    port?.closeAfterAnswers();
    stop.abort();
    // What start-up is doing ends first, so that nothing begins behind the drain.
    started
      .catch(() => {})
      .then(() => drain({ port, running, log, delayMs }))
      .then(() => end(crashed ? EXIT.failed : EXIT.clean));
  };

  // The state of the process is unknown from here on, so it must end; other people's requests are not to blame.
  let crashed = false;
  const onCrash = (error: unknown, what: string): void => {
    if (lifecycle.startingUp) fail(error, what);
    log?.fatal({ err: error }, what);
    flush();
    if (!crashed) stopServing(0, CRASH_GRACE_MS, `${CRASH_GRACE_MS} ms, the time after such an error`);
    crashed = true;
  };
  process.on('uncaughtException', (error) => onCrash(error, 'an error that nothing caught'));
  process.on('unhandledRejection', (error) =>
    onCrash(error, 'a promise was rejected and nothing handled it'),
  );

  const onSignal = (signal: string): void => {
    if (stop.signal.aborted) {
      log?.warn({ signal }, 'told to stop a second time: stopping at once');
      end(EXIT.failed);
    }
    log?.info({ signal }, 'told to stop');
    const { drainDelayMs, timeoutMs } = shutdown;
    stopServing(lifecycle.started ? drainDelayMs : 0, timeoutMs, `SHUTDOWN_TIMEOUT_MS=${timeoutMs}`);
  };

  const startUp = async (): Promise<void> => {
    const address = readListenAddress();
    const early = probeListener(probeSources);
    const { mayMove, metrics } = address;
    let metricsPort: OpenPort | undefined;
    await lifecycle.step('port', async () => {
      port = await openPort(address, early, mayMove);
      if (metrics) metricsPort = await openMetricsPort(metrics, early);
    });
    const loaded = await lifecycle.step('configuration', () => loadConfig(own));
    const { config, settings } = loaded;
    if (fromSources && config.environment === 'production') throw new ConfigError([NOT_FROM_SOURCES], []);
    shutdown = config.shutdown;
    // Whoever has been knocking is answered before the long work of loading.
    await sleep(1);
    // Loaded only now: everything from here on happens behind an open port.
    const { start, startLog } = await import('./start.ts');
    probeSources.environment = config.environment;
    const logger = await startLog(loaded, lifecycle);
    ({ log, flush } = logger);
    await start({
      config,
      settings,
      log,
      logLines: logger.lines,
      flush,
      port: port as OpenPort,
      metricsPort,
      probeSources,
      signal: stop.signal,
      fromSources,
      loadApplication,
      running,
    });
  };

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
  process.on('SIGUSR2', async () => {
    const { writeHeapReport } = await import('../metrics/heap.ts');
    if (log) await writeHeapReport(log);
  });
  // The launcher holds a channel to this process: when it is gone, so is whoever wanted the server.
  // It may go while we end at its word: that is no second wish.
  process.on('disconnect', () => {
    if (!stop.signal.aborted) onSignal('disconnect');
  });
  const started = startUp();
  try {
    await started;
    flushCompileCache?.();
  } catch (error) {
    if (stop.signal.aborted) return;
    if (error instanceof ConfigError) {
      console.error(error.message);
      end(EXIT.configuration);
    }
    fail(error, 'the server could not start', exitCodeOf(error));
  }
}
