import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { ConfigError } from '../../config/problems.ts';
import { findCause } from '../../lib/causes.ts';
import { apartFromRequests } from '../../lib/request-work.ts';
import type { Logger } from '../pool/availability.ts';
import { encryptedColumns } from './encrypted-text.ts';
import { keyring } from './keyring.ts';
import { encryptionKeys } from './table.ts';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNDEFINED_TABLE = '42P01';

/** @returns The ids of the keys that columns hold values of; none before the table is there. */
export async function keysInUse(db: NodePgDatabase): Promise<string[]> {
  try {
    const rows = await db.select({ id: encryptionKeys.id }).from(encryptionKeys);
    return rows.map(({ id }) => id);
  } catch (error) {
    if (findCause(error, pg.DatabaseError)?.code === UNDEFINED_TABLE) return [];
    throw error;
  }
}

/** Records a key as in use. */
export async function recordKey(db: NodePgDatabase, id: string): Promise<void> {
  await db.insert(encryptionKeys).values({ id }).onConflictDoNothing();
}

/**
 * Hands the keys to this process's columns. The first value that is written with a key records it as in use, beside the
 * caller's transaction.
 *
 * @param keys `ENCRYPTION_KEY`.
 */
export function openKeyring(keys: readonly string[], db: NodePgDatabase, log: Logger): void {
  let recorded = false;
  keyring.use(keys, (id) => {
    if (recorded) return;
    recorded = true;
    apartFromRequests(() => recordKey(db, id)).catch((err) => {
      recorded = false;
      log.warn(
        { err },
        `That the encryption key ${id} is in use could not be recorded; the next value tries again`,
      );
    });
  });
}

/**
 * Compares the keys that are in use with those that are configured. It asks nothing where no column is encrypted.
 *
 * @throws ConfigError naming those that are missing.
 */
export async function checkKeysInUse(db: NodePgDatabase): Promise<void> {
  if (encryptedColumns.size === 0) return;
  const missing = (await keysInUse(db)).filter((id) => !keyring.ids.includes(id));
  if (missing.length === 0) return;
  const which = missing.length === 1 ? `the key ${missing}` : `the keys ${missing.join(', ')}`;
  const problem = `lacks ${which}, which values in the database are encrypted with`;
  const remedy =
    'Add what is missing behind the first key. `main.js keys` counts the rows; if a key is lost, see docs/runbook.md#encryption-keys.';
  throw new ConfigError([{ variable: 'ENCRYPTION_KEY', problem, remedy }], []);
}
