import { pino } from 'pino';
import { type Config, loadConfig } from '../config/config.ts';
import { ConfigError } from '../config/problems.ts';
import type { UnknownSettings } from '../config/setting.ts';
import { checkKeysInUse } from '../database/encryption/keys-in-use.ts';
import { HealthChecks } from '../health/health-checks.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import { probeListener } from '../health/probe-listener.ts';
import { LogLines } from '../logging/log-lines.ts';
import { WITHOUT_SECRETS } from '../logging/logger.ts';
import { Metrics } from '../metrics/metrics.ts';
import { metricsListener } from '../metrics/metrics-listener.ts';
import type { Command, Part } from '../parts.ts';
import { about } from './about.ts';
import { createPlatform } from './create-platform.ts';
import { EXIT } from './exit-codes.ts';
import { keysCommand } from './keys.ts';
import { migrateCommand } from './migrate.ts';
import type { OpenPort } from './port.ts';
import type { LoadApplication } from './start.ts';
import { untilAnswered } from './wait-for-database.ts';

/** The platform's. */
const OWN = ['serve', 'migrate', 'keys'];

/** @throws ConfigError that first says why the configuration is needed: perhaps only the command is misspelled. */
function configurationFor(command: string, own: UnknownSettings) {
  try {
    return loadConfig(own);
  } catch (error) {
    if (error instanceof ConfigError && !OWN.includes(command)) {
      error.message = `'${command}' is none of: ${OWN.join(', ')}. Commands of modules and features need a configuration.\n\n${error.message}`;
    }
    throw error;
  }
}

/**
 * `main.js NAME …`: runs a subcommand of a part or of the platform, on the configured database. Warnings go to standard error.
 *
 * @param own The application's settings.
 * @param signal Aborted by a signal.
 * @returns The command's exit code; undefined if there is no such command, which is printed with a list of all.
 * @throws ConfigError, or whatever the command throws.
 */
export async function runPartCommand(
  name: string,
  args: readonly string[],
  own: UnknownSettings,
  loadApplication: LoadApplication,
  signal: AbortSignal,
): Promise<number | undefined> {
  const loaded = configurationFor(name, own);
  for (const warning of loaded.warnings) console.error(warning);
  const log = pino({ level: 'warn', ...WITHOUT_SECRETS }, pino.destination({ fd: 2, sync: true }));
  const { config } = loaded;
  const probeSources: ProbeSources = {
    lifecycle: new Lifecycle([]),
    checks: new HealthChecks(),
    version: about.version,
    environment: config.environment,
  };
  const logger = { log, lines: new LogLines() };
  const platform = createPlatform(loaded, `${about.name} ${name}`, logger, probeSources, {
    clientFolder: undefined,
  });
  let observed: OpenPort | undefined;
  const parts: Part[] = [];
  try {
    const { createApp } = await loadApplication();
    const { modules, features } = createApp(platform);
    parts.push(...modules, ...features);
    const commands = new Map<string, Command>([
      ...parts.flatMap((part) => Object.entries(part.commands ?? {})),
      ['migrate', migrateCommand(platform, parts.find((part) => part.findAdoption)?.findAdoption)],
      ['keys', keysCommand(platform)],
    ]);
    const command = commands.get(name);
    if (command?.keepsRunning) {
      log.level = config.log.level;
      observed = await observe(config, probeSources, parts);
      const { timeoutMs } = config.shutdown;
      const draining = () => {
        probeSources.lifecycle.to('draining');
        // The connections of a database that does not answer take longer to close.
        const giveUp = () => {
          log.warn(`the shutdown took longer than ${timeoutMs} ms, and is cut short`);
          process.exit(EXIT.failed);
        };
        setTimeout(giveUp, timeoutMs).unref();
      };
      signal.addEventListener('abort', draining, { once: true });
      const { db, database } = platform;
      const check = untilAnswered(() => checkKeysInUse(db), database, probeSources.lifecycle, signal);
      await check.catch((error) => {
        if (!signal.aborted) throw error;
      });
    }
    if (command) {
      const ready = () => {
        if (command.keepsRunning && !signal.aborted) probeSources.lifecycle.to('ready');
      };
      return (await command.run(args, signal, ready)) ?? 0;
    }
    const lines = [...commands].map(([one, { help }]) => `  ${one}: ${help}`);
    console.error(
      `There is no command '${name}'. There are:\n  serve: serves; the default\n${lines.join('\n')}`,
    );
    return undefined;
  } finally {
    for (const part of parts) await part.end?.();
    await observed?.stopListening();
    platform.clock.end();
    await platform.listener.close();
    await platform.database.close();
  }
}

/** Opens METRICS_PORT for a command that keeps running: what its parts count, and the probes. */
async function observe(
  { listen, metrics }: Config,
  probeSources: ProbeSources,
  parts: readonly Part[],
): Promise<OpenPort | undefined> {
  if (!listen.metrics) return undefined;
  const [{ clientOf }, { openMetricsPort }, { default: Fastify }] = await Promise.all([
    import('../http/metrics.ts'),
    import('./metrics-port.ts'),
    import('fastify'),
  ]);
  const registry = new Metrics(await clientOf(Fastify()));
  registry.add(...parts.flatMap((part) => part.metrics ?? []));
  for (const check of parts.flatMap((part) => part.checks ?? [])) probeSources.checks.register(check);
  const port = await openMetricsPort(listen.metrics, probeListener(probeSources));
  port.handOver(metricsListener(metrics.enabled ? registry : undefined, probeSources));
  return port;
}
