import { parseArgs } from 'node:util';
import type { AdoptChoice, FindAdoption } from '../database/migrations/adoption.ts';
import { type MigrateOptions, migrate } from '../database/migrations/migrator.ts';
import { migrationStatus } from '../database/migrations/status.ts';
import type { Command, Platform } from '../parts.ts';
import { about, MIGRATIONS } from './about.ts';

const OPTIONS = '[--dry-run | --status] [--adopt=record | --adopt=run]';

/**
 * `main.js migrate`: applies pending migrations and ends. Prints for a person.
 *
 * `--status` lists every migration; `--dry-run` prints the SQL that would run. Neither changes anything. `--adopt` overrides
 * `MIGRATE_ADOPT`. A signal cancels the running statement, which is rolled back.
 *
 * @throws MigrationError, or Error for unknown arguments.
 */
export const migrateCommand = ({ config }: Platform, findAdoption: FindAdoption | undefined): Command => ({
  help: `${OPTIONS}: applies pending migrations, and ends`,
  async run(args, signal) {
    const { status, dryRun, adopt } = parse(args, findAdoption !== undefined);
    const { direct, connection } = config.database;
    const options: MigrateOptions = {
      connection: { ...(direct ?? connection), application_name: `${about.name} migrate` },
      directUrlConfigured: direct !== undefined,
      folder: MIGRATIONS,
      findAdoption,
      adopt,
      log: {
        debug() {},
        info: (fields: unknown, message?: string) => console.log(message, fields),
        warn: (_fields: unknown, message?: string) => console.error(message),
      },
      signal,
    };
    if (status || dryRun) await show(options, status);
    else {
      const { applied, adopted, alreadyApplied } = await migrate(options);
      const ofThese = adopted.length > 0 ? `${adopted.length} adopted, ` : '';
      console.log(`${ofThese}${applied.length} applied, ${alreadyApplied} were in place.`);
    }
    return undefined;
  },
});

/** @param status Every migration in one line; else the SQL of those that are pending. */
async function show(options: MigrateOptions, status: boolean): Promise<void> {
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
  if (!status && !entries.some(({ state }) => state === 'pending')) console.log('-- nothing is pending');
  if (problem) throw problem;
}

/** @throws Error for what is not understood, and for `--adopt` where no part adopts. */
function parse(args: readonly string[], adopts: boolean) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { status: { type: 'boolean' }, 'dry-run': { type: 'boolean' }, adopt: { type: 'string' } },
    });
    const { status = false, 'dry-run': dryRun = false, adopt } = values;
    const isChoice = adopts && (adopt === 'record' || adopt === 'run');
    if ((adopt === undefined || isChoice) && !(status && dryRun))
      return { status, dryRun, adopt: adopt as AdoptChoice | undefined };
  } catch {
    // Said below.
  }
  throw new Error(`'${args.join(' ')}' is not understood. Usage: main.js migrate ${OPTIONS}`);
}
