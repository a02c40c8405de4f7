/**
 * The entry of the process: subcommands and exit codes.
 *
 * This file and what it imports are loaded before the port opens, so they import as little as they can; the application is
 * loaded behind the open port. It must parse under Node 20, to be able to say that Node 20 is too old.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import type { OwnSettings } from '../config/config.ts';
import type { UnknownSettings } from '../config/setting.ts';
import { BUNDLED } from './about.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { ServerProcess } from './server-process.ts';
import type { LoadApplication } from './start.ts';

const OLDEST_NODE = 24;

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
      return new ServerProcess({ settings, loadApplication, fromSources: command === 'dev' }).start();
    default:
      return untilSignal(async (signal) => {
        const { runPartCommand } = await import('./part-command.ts');
        process.exitCode =
          (await runPartCommand(command, args, settings, loadApplication, signal)) ?? EXIT.configuration;
      });
  }
}

/** Runs one piece of work, which a signal cancels. */
async function untilSignal(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  try {
    await work(stop.signal);
  } catch (error) {
    // Cancelled work is rolled back: a job scheduler must not take it for done.
    process.exitCode = stop.signal.aborted ? EXIT.failed : exitCodeOf(error);
    if (!stop.signal.aborted) console.error((error as Error).message);
  }
}
