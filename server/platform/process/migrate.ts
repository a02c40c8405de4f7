import { parseArgs } from 'node:util';
import { loadConfig } from '../config/config.ts';
import type { UnknownSettings } from '../config/setting.ts';
import { type MigrateOptions, migrate } from '../database/migrations/migrator.ts';
import { migrationStatus } from '../database/migrations/status.ts';
import { about, MIGRATIONS } from './about.ts';

const USAGE = 'Usage: main.js migrate [--dry-run | --status] [--adopt=record | --adopt=run]';

/**
 * `main.js migrate`: applies pending migrations and ends. Prints for a person; errors are thrown to `main.ts`.
 *
 * `--status` lists every migration; `--dry-run` prints the SQL that would run. Neither changes anything. `--adopt` overrides
 * `MIGRATE_ADOPT`.
 *
 * @param settings The application's own.
 * @param signal Aborted by a signal: the running statement is cancelled and rolled back.
 * @throws ConfigError, MigrationError, or Error for unknown arguments.
 */
export async function migrateCommand(
  args: string[],
  settings: UnknownSettings,
  signal: AbortSignal,
): Promise<void> {
  const { status, dryRun, adopt } = parse(args);
  const { config, warnings } = loadConfig(settings);
  for (const warning of warnings) console.error(warning);
  const { direct, connection } = config.database;
  const options: MigrateOptions = {
    connection: { ...(direct ?? connection), application_name: `${about.name} migrate` },
    directUrlConfigured: direct !== undefined,
    folder: MIGRATIONS,
    adopt: adopt ?? config.database.migrateAdopt,
    log: {
      debug() {},
      info: (fields: unknown, message?: string) => console.log(message, fields),
      warn: (_fields: unknown, message?: string) => console.error(message),
    },
    signal,
  };
  if (!status && !dryRun) {
    const { applied, adopted, alreadyApplied } = await migrate(options);
    const ofThese = adopted.length > 0 ? `${adopted.length} adopted, ` : '';
    console.log(`${ofThese}${applied.length} applied, ${alreadyApplied} were in place.`);
    return;
  }
  const { entries, problem } = await migrationStatus(options);
  for (const { name, state, sql, inPlace, doubtful } of entries) {
    const note = doubtful
      ? '  (may have changed the rows already: --adopt=record or --adopt=run decides)'
      : inPlace
        ? '  (its tables are there: recorded, and only what is shown by --dry-run will run)'
        : '';
    if (status) console.log(`${state.padEnd(8)} ${name}${note}`);
    else if (state === 'unwritten')
      console.log(`-- ${name} holds no statement yet: it is applied once it does`);
    else if (state === 'pending') console.log(`-- ${name}${note}\n${sql}\n`);
  }
  if (dryRun && !entries.some(({ state }) => state === 'pending')) console.log('-- nothing is pending');
  if (problem) throw problem;
}

function parse(args: string[]): { status: boolean; dryRun: boolean; adopt: 'record' | 'run' | undefined } {
  try {
    const { values } = parseArgs({
      args,
      options: { status: { type: 'boolean' }, 'dry-run': { type: 'boolean' }, adopt: { type: 'string' } },
    });
    const { status = false, 'dry-run': dryRun = false, adopt } = values;
    if ((adopt === undefined || adopt === 'record' || adopt === 'run') && !(status && dryRun))
      return { status, dryRun, adopt };
  } catch {
    // Said below.
  }
  throw new Error(`'${args.join(' ')}' is not understood. ${USAGE}`);
}
