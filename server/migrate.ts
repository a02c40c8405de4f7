import { about, MIGRATIONS } from './about.ts';
import { loadConfig } from './config.ts';
import { migrationStatus } from './database/migration-status.ts';
import { type MigrateOptions, migrate } from './database/migrator.ts';

const USAGE = 'Usage: main.js migrate [--dry-run | --status]';

/**
 * `main.js migrate`: applies what is pending and ends. Prints for a person; errors are thrown to `main.ts`.
 *
 * `--status` lists every migration; `--dry-run` prints the SQL that would run. Neither changes anything.
 *
 * @param signal Aborted when the process is told to stop: the running statement is cancelled and rolled back.
 * @throws ConfigError, MigrationError, or Error for arguments that mean nothing.
 */
export async function migrateCommand(args: string[], signal: AbortSignal): Promise<void> {
  const [mode, ...more] = args;
  if (more.length > 0 || (mode !== undefined && mode !== '--dry-run' && mode !== '--status')) {
    throw new Error(`'${args.join(' ')}' is not understood. ${USAGE}`);
  }
  const { config, warnings } = loadConfig();
  for (const warning of warnings) console.error(warning);
  const { direct, connection, embedded } = config.database;
  if (connection === undefined || embedded) {
    throw new Error(
      'No database is configured: set DATABASE_URL. (`npm start` migrates the embedded one by itself.)',
    );
  }
  const options: MigrateOptions = {
    connection: { ...(direct ?? connection), application_name: `${about.name} migrate` },
    directUrlConfigured: direct !== undefined,
    folder: MIGRATIONS,
    log: { debug() {}, info() {}, warn: (_fields: unknown, message?: string) => console.error(message) },
    signal,
    onWaiting: (why) => console.error(`Waiting: ${why}`),
    onAdopted: (name, ran) => console.log(`adopted  ${name}  (its tables were there; ${ran} statements run)`),
    onApplied: (name, ms) => console.log(`applied  ${name}  (${Math.round(ms)} ms)`),
  };
  if (mode === undefined) {
    const { applied, adopted, alreadyApplied } = await migrate(options);
    const taken = adopted.length > 0 ? `${adopted.length} adopted, ` : '';
    console.log(`${taken}${applied.length} applied, ${alreadyApplied} were in place.`);
    return;
  }
  const { entries, problem } = await migrationStatus(options);
  for (const { name, state, sql, inPlace } of entries) {
    const remark = inPlace ? '  (its tables are there: recorded, and only what changes rows will run)' : '';
    if (mode === '--status') console.log(`${state.padEnd(8)} ${name}${remark}`);
    else if (state === 'pending') console.log(`-- ${name}${remark}\n${sql}\n`);
  }
  if (mode === '--dry-run' && !entries.some(({ state }) => state === 'pending'))
    console.log('-- nothing is pending');
  if (problem) throw problem;
}
