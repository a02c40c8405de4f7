import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { ConfigError } from '../../config/problems.ts';
import { apartFromRequests } from '../../lib/request-work.ts';
import type { Logger } from '../pool/availability.ts';
import { encryptedColumns } from './encrypted-text.ts';
import { keyring } from './keyring.ts';
import { encryptionKeys } from './table.ts';

/** @returns The ids of the keys that columns hold values of. */
export async function keysInUse(db: NodePgDatabase): Promise<string[]> {
  const rows = await db.select({ id: encryptionKeys.id }).from(encryptionKeys);
  return rows.map(({ id }) => id);
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
