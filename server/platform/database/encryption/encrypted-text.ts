import { inArray, type SQL } from 'drizzle-orm';
import { customType, type PgColumn } from 'drizzle-orm/pg-core';
import { keyring } from './keyring.ts';

declare const secret: unique symbol;

/**
 * The text of an encrypted column. It can be used as a string; to write one takes {@link secretText}, so that
 * `eq(table.column, 'text')`, which never matches, does not compile.
 */
export type SecretText = string & { readonly [secret]: true };

/** Marks a text that goes into an encrypted column. */
export const secretText = (text: string): SecretText => text as SecretText;

export interface EncryptedColumn {
  /** `table.column`. */
  readonly name: string;
  readonly table: string;
  readonly column: string;
  readonly allowPlain: boolean;
}

/** Every encrypted column of the application, by `table.column`. */
export const encryptedColumns: Map<string, EncryptedColumn> = new Map();
/** By the `table.column` that is indexed. */
export const blindIndexes: Map<string, BlindIndex> = new Map();

type ColumnName = `${string}.${string}`;

/**
 * A column of text that is encrypted in the database: AES-256-GCM with a key of `ENCRYPTION_KEY`. NULL stays NULL. Its table has
 * a primary key, so that `main.js keys re-encrypt` can go through it.
 *
 * Neither `where` nor `order by` can use it; see {@link blindIndex} for equality.
 *
 * @param name `table.column` as the database knows it, and part of each value: to rename it is to read and write every row.
 * @param options.allowPlain Without `ENCRYPTION_KEY` keep the text as it is. Otherwise writing is an error then: ask
 *   `keyring.enabled` first.
 */
export function encryptedText(name: ColumnName, { allowPlain = false } = {}) {
  const [table, column] = split(name);
  if (encryptedColumns.has(name)) throw new Error(`Two encrypted columns are called '${name}'.`);
  encryptedColumns.set(name, { name, table, column, allowPlain });
  return customType<{ data: SecretText; driverData: string }>({
    dataType: () => 'text',
    toDriver: (text) => keyring.encrypt(text, name, allowPlain),
    fromDriver: (stored) => secretText(keyring.decrypt(stored, name, allowPlain)),
  })(column);
}

export interface BlindIndex {
  /** The column that holds it. */
  readonly column: string;
  /** What to write beside the encrypted value. */
  of(text: string): string;
  /** Rows whose value equals `text`. @param column The column that holds the index, a `text`. */
  equals(column: PgColumn, text: string): SQL;
}

/**
 * A column of digests beside an encrypted one, to find rows by equality. It tells who reads the database which rows have the
 * same value, and cannot be reversed without the key.
 *
 * While several keys are configured, rows hold digests of any: a unique index may let a second one through until all are
 * re-encrypted.
 *
 * @param of The encrypted column, as `users.phone`.
 * @param column The column for the digests, in the same table.
 * @param normalise Values that become the same are equal: by default case, width and space around do not matter.
 */
export function blindIndex(
  of: ColumnName,
  column: string,
  normalise: (text: string) => string = (text) => text.normalize('NFKC').trim().toLowerCase(),
): BlindIndex {
  const index: BlindIndex = {
    column,
    of: (text) => keyring.digests(normalise(text), of)[0],
    equals: (holder, text) => inArray(holder, keyring.digests(normalise(text), of)),
  };
  blindIndexes.set(of, index);
  return index;
}

function split(name: string): [table: string, column: string] {
  const [table, column, more] = name.split('.');
  if (!table || !column || more !== undefined)
    throw new Error(`An encrypted column is called 'table.column': '${name}' is not.`);
  return [table, column];
}
