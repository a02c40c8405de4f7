import type pg from 'pg';
import type { Queryable } from '../pool/client.ts';
import type { AdoptChoice, Adoption, FindAdoption } from './adoption.ts';
import { MigrationError } from './errors.ts';
import { readMigrations } from './files.ts';
import { compareWith, nameOfRecorded } from './history.ts';
import { type Session, withSession } from './session.ts';

export interface MigrationSource {
  /** A direct connection: the lock lives as long as its session. */
  connection: pg.ClientConfig;
  /** The folder with `meta/_journal.json` and the SQL files; may be empty or absent. */
  folder: string;
  /** Finds what something else has done to the tables; absent: all that is pending is applied. */
  findAdoption?: FindAdoption | undefined;
  /** What an operator has said of statements that change rows, where the rows are there and the journal is not. */
  adopt?: AdoptChoice | undefined;
  /** An open pool of the same database, on which to look first: the usual start then opens no second connection. */
  look?: Queryable;
}

export interface MigrationEntry {
  name: string;
  hash: string;
  state: 'applied' | 'pending' | 'unwritten' | 'ahead';
  /** What would run, for one that is pending. */
  sql?: string;
  /** Pending, but its tables are there: it would be recorded, and `sql` is only what would run all the same. */
  inPlace?: true;
  /** Pending, and nothing tells whether it has changed the rows already: an operator has to say. */
  doubtful?: true;
}

/**
 * What is applied, what is pending and with what SQL, without changing anything or waiting for a lock.
 *
 * Without `look`, it also finds out which of the pending ones have their tables already.
 *
 * @throws DatabaseUnavailableError, or MigrationError when the folder itself is malformed; a wrong history, and tables
 *   that match none of it, are returned as `problem`.
 */
export async function migrationStatus(
  source: MigrationSource,
): Promise<{ entries: MigrationEntry[]; problem?: MigrationError }> {
  const migrations = await readMigrations(source.folder);
  let adoption: Adoption = { adopted: [] };
  const compare = async (session: Session) => {
    const history = await compareWith(session, migrations);
    if (history.problem || !source.findAdoption) return history;
    try {
      adoption = await source.findAdoption(session, history, source.adopt);
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      return { ...history, problem: error };
    }
    return adoption.undecided ? { ...history, problem: adoption.undecided.problem } : history;
  };
  const { pending, unwritten, ahead, problem } = await (source.look
    ? compareWith(source.look, migrations)
    : withSession(source.connection, new AbortController().signal, compare));
  const entries = migrations.map((migration): MigrationEntry => {
    const { name, hash, sql } = migration;
    if (unwritten.includes(migration)) return { name, hash, state: 'unwritten' };
    if (!pending.includes(migration)) return { name, hash, state: 'applied' };
    const inPlace = adoption.adopted.find((one) => one.migration === migration);
    const doubtful = adoption.undecided?.migrations.has(name) ? ({ doubtful: true } as const) : {};
    if (!inPlace) return { name, hash, state: 'pending', sql, ...doubtful };
    const rest = inPlace.statements.map(({ text }) => `${text};`).join('\n');
    return { name, hash, state: 'pending', sql: rest, inPlace: true, ...doubtful };
  });
  for (const row of ahead) entries.push({ name: nameOfRecorded(row), hash: row.hash, state: 'ahead' });
  return problem ? { entries, problem } : { entries };
}
