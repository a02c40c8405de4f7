import { flushCompileCache } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig, readListenAddress } from '../config/config.ts';
import { ConfigError } from '../config/problems.ts';
import type { UnknownSettings } from '../config/setting.ts';
import { HealthChecks } from '../health/health-checks.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import { probeListener } from '../health/probe-listener.ts';
import type { ServerLogger } from '../logging/logger.ts';
import { about } from './about.ts';
import { drain, stillOpen } from './drain.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { openMetricsPort } from './metrics-port.ts';
import { type OpenPort, openPort } from './port.ts';
import type { LoadApplication, Running } from './start.ts';

/** After an uncaught exception, requests in flight get this long to finish, in milliseconds. */
const CRASH_GRACE_MS = 1_000;

/** The start-up work, in the order in which it is shown. */
const STARTUP_STEPS = ['port', 'configuration', 'application', 'database', 'migrations'];

/** The development server's looser rules (host names, content security policy) depend on the environment alone. */
const NOT_FROM_SOURCES = {
  variable: 'NODE_ENV',
  problem: "is production, and the development server answers with the client's sources",
  remedy: 'Unset NODE_ENV, or run `npm start`.',
};

export interface ServerProcessOptions {
  settings: UnknownSettings;
  loadApplication: LoadApplication;
  /** Serve the client through Vite, with hot reload. */
  fromSources: boolean;
}

/** A process that serves until a signal stops it or an exception ends it. */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  readonly #lifecycle = new Lifecycle(STARTUP_STEPS);
  readonly #probeSources: ProbeSources;
  readonly #running: Running = {};
  readonly #stopping = new AbortController();
  #startUp: Promise<void> = Promise.resolve();
  #port: OpenPort | undefined;
  #logger: ServerLogger | undefined;
  /** Until the configuration is known. */
  #shutdown = { drainDelayMs: 0, timeoutMs: 8_000 };
  #exitCode: number = EXIT.clean;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    const checks = new HealthChecks((check, err) =>
      this.#log?.debug({ check, err }, 'a health check failed'),
    );
    this.#probeSources = {
      lifecycle: this.#lifecycle,
      checks,
      version: about.version,
      environment: 'unknown',
    };
  }

  /** Resolves when the server is ready. A start that fails ends the process. */
  async start(): Promise<void> {
    this.#listenToProcess();
    this.#startUp = this.#openAndLoad();
    try {
      await this.#startUp;
      flushCompileCache?.();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (error instanceof ConfigError) {
        console.error(error.message);
        this.#exit(EXIT.configuration);
      }
      this.#fail(error, 'the server could not start');
    }
  }

  /**
   * Drains, then ends the process with 0; at the second signal with 1, at once.
   *
   * @param signal Its name, or `disconnect`: the parent process is gone.
   */
  stop(signal: string): void {
    if (this.#stopping.signal.aborted) {
      this.#log?.warn({ signal }, `received ${signal} again, exiting now`);
      this.#exit(EXIT.failed);
    }
    this.#log?.info({ signal }, `received ${signal}, draining`);
    const { drainDelayMs, timeoutMs } = this.#shutdown;
    this.#exitAfter(timeoutMs, `SHUTDOWN_TIMEOUT_MS=${timeoutMs}`);
    this.#drain(this.#lifecycle.started ? drainDelayMs : 0);
  }

  /**
   * Ends the process with 1, because its state is unknown; requests in flight get a second to finish.
   *
   * @param what For the log: `uncaught exception`, …
   */
  crash(error: unknown, what: string): void {
    if (this.#lifecycle.startingUp) this.#fail(error, what);
    this.#log?.fatal({ err: error }, what);
    this.#logger?.flush();
    if (this.#exitCode !== EXIT.clean) return;
    this.#exitCode = EXIT.failed;
    this.#exitAfter(CRASH_GRACE_MS, `${CRASH_GRACE_MS} ms, after an ${what}`);
    this.#drain(0);
  }

  get #log() {
    return this.#logger?.log;
  }

  #listenToProcess(): void {
    process.on('uncaughtException', (error) => this.crash(error, 'uncaught exception'));
    process.on('unhandledRejection', (error) => this.crash(error, 'unhandled rejection'));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => this.stop(signal));
    // The launcher holds a channel to this process. It may close while we drain: that is no second signal.
    process.on('disconnect', () => {
      if (!this.#stopping.signal.aborted) this.stop('disconnect');
    });
    process.on('SIGUSR2', async () => {
      const { writeHeapReport } = await import('../metrics/heap.ts');
      if (this.#log) await writeHeapReport(this.#log);
    });
  }

  async #openAndLoad(): Promise<void> {
    const { settings, loadApplication, fromSources } = this.#options;
    const probeSources = this.#probeSources;
    const early = probeListener(probeSources);
    const { mayMove, metrics, ...address } = readListenAddress();
    const [port, metricsPort] = await this.#lifecycle.step('port', async () => {
      const onAcceptError = (err: Error) => this.#log?.error({ err }, 'cannot accept connections');
      this.#port = await openPort(address, early, { mayMove, onAcceptError });
      return [this.#port, metrics && (await openMetricsPort(metrics, early))] as const;
    });
    const loaded = await this.#lifecycle.step('configuration', () => loadConfig(settings));
    const { environment, shutdown } = loaded.config;
    if (fromSources && environment === 'production') throw new ConfigError([NOT_FROM_SOURCES], []);
    this.#shutdown = shutdown;
    probeSources.environment = environment;
    // Probes that have arrived are answered before the long work of loading.
    await sleep(1);
    // Loaded only now: everything from here on happens behind an open port.
    const { start, startLog } = await import('./start.ts');
    this.#logger = await startLog(loaded, this.#lifecycle);
    await start({
      loaded,
      logger: this.#logger,
      port,
      metricsPort,
      probeSources,
      signal: this.#stopping.signal,
      fromSources,
      loadApplication,
      running: this.#running,
    });
  }

  /** Drains once, even if a signal and an exception come together. */
  #drain(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#lifecycle.to('draining');
    this.#port?.closeAfterAnswers();
    this.#stopping.abort();
    // Start-up ends first, so that it begins nothing behind the drain.
    this.#startUp
      .catch(() => {})
      .then(() => drain(this.#port, this.#running, this.#log, delayMs))
      .then(() => this.#exit(this.#exitCode));
  }

  /** Of several limits the first to end counts. */
  #exitAfter(limitMs: number, limit: string): void {
    setTimeout(() => {
      const { details, summary } = stillOpen(this.#running);
      this.#log?.error(details, `shutdown timed out (${limit}), exiting with ${summary}`);
      this.#exit(EXIT.failed);
    }, limitMs);
  }

  #fail(error: unknown, what: string): never {
    if (this.#log) this.#log.fatal({ err: error }, what);
    // Only errors of our own have a cause; their message says what to do, and a stack would bury it.
    else console.error(`${what}:`, error instanceof Error && error.cause ? error.message : error);
    return this.#exit(exitCodeOf(error));
  }

  #exit(code: number): never {
    if (this.#lifecycle.state !== 'stopped') this.#lifecycle.to('stopped');
    this.#logger?.flush();
    process.exit(code);
  }
}
