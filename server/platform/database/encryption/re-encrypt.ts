import { setTimeout as sleep } from 'node:timers/promises';
import { type Name, notInArray, type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { blindIndexes, type EncryptedColumn, encryptedColumns } from './encrypted-text.ts';
import { EncryptionError, keyring } from './keyring.ts';
import { recordKey } from './keys-in-use.ts';
import { encryptionKeys } from './table.ts';

/** Rows of one statement. To read and encrypt them holds the event loop for a millisecond, which requests beside it notice. */
const BATCH = 20;

/** How many values of a column a key has encrypted. */
export interface Holding {
  /** `table.column`. */
  readonly name: string;
  /** The key's id; null: plain text. */
  readonly key: string | null;
  readonly rows: number;
}

/** Counts the values of each column by key. It reads every encrypted table. */
export async function holdings(db: NodePgDatabase): Promise<Holding[]> {
  const found: Holding[] = [];
  for (const [name, { table, column }] of encryptedColumns) {
    const stored = sql.identifier(column);
    const { rows } = await db.execute<{ key: string | null; rows: number }>(
      sql`select substring(${stored} from '^v1\\.([0-9a-f]{8})\\.') as key, count(*)::integer as rows
        from ${sql.identifier(table)} where ${stored} is not null group by 1 order by 1`,
    );
    found.push(...rows.map((row) => ({ name, ...row })));
  }
  return found;
}

export interface ReEncryptOptions {
  /** Ends it after the batch that is under way; what is done stays done. */
  readonly signal?: AbortSignal;
  /** Told after each batch. @param total Values that were to be done when it began. */
  progress?(done: number, total: number): void;
}

/**
 * Writes every value with the first key that another one has encrypted, and its blind index with it; then forgets keys that no
 * row holds. It may run again at any time, and beside writers: what they change meanwhile stays theirs.
 *
 * It goes through each table by primary key. A batch is one statement, and so one transaction.
 *
 * @returns How many were written; how many hold another key still, because they were locked, written meanwhile, or unreadable;
 *   and why those could not be read, as sentences.
 * @throws EncryptionError without a key; Error where a table has no primary key; the reason of `signal`.
 */
export async function reEncrypt(
  db: NodePgDatabase,
  { signal, progress }: ReEncryptOptions = {},
): Promise<{ written: number; left: number; unreadable: string[] }> {
  const [current] = keyring.ids;
  if (current === undefined)
    throw new EncryptionError('ENCRYPTION_KEY is unset; its first key is written with.');
  await recordKey(db, current);
  const total = countOthers(await holdings(db), current);
  const unreadable = new Set<string>();
  let written = 0;
  for (const column of encryptedColumns.values()) {
    const keys = await primaryKeyOf(db, column.table);
    let after: string[] | undefined;
    do {
      signal?.throwIfAborted();
      const began = performance.now();
      const rows = await readBatch(db, column, keys, current, after);
      written += await writeBatch(db, column, keys, sealAgain(rows, column, unreadable));
      progress?.(written, total);
      after = rows.length < BATCH ? undefined : rows.at(-1)?.key;
      // It rests for twice as long as it has worked, so that most of a core and a connection stay for requests.
      if (after) await sleep(2 * (performance.now() - began), undefined, { signal }).catch(() => {});
    } while (after);
  }
  const held = await holdings(db);
  const needed = held.flatMap(({ key }) => key ?? []);
  await db.delete(encryptionKeys).where(notInArray(encryptionKeys.id, [current, ...needed]));
  return { written, left: countOthers(held, current), unreadable: [...unreadable] };
}

const countOthers = (held: readonly Holding[], current: string): number =>
  held.reduce((sum, { key, rows }) => sum + (key === current ? 0 : rows), 0);

interface KeyColumn {
  readonly name: string;
  readonly type: string;
}
/** A row's primary key as text, and what its encrypted column holds. */
interface Row extends Record<string, unknown> {
  readonly key: string[];
  readonly stored: string;
}

/** @param after The key of the last row before. */
async function readBatch(
  db: NodePgDatabase,
  { table, column }: EncryptedColumn,
  keys: readonly KeyColumn[],
  current: string,
  after: readonly string[] | undefined,
): Promise<Row[]> {
  const stored = sql.identifier(column);
  const names = list(keys.map(({ name }) => sql.identifier(name)));
  const values = keys.map(({ type }, at) => sql`${after?.[at]}::${sql.raw(type)}`);
  const { rows } = await db.execute<Row>(
    sql`select array[${list(keys.map(({ name }) => sql`${sql.identifier(name)}::text`))}] as key, ${stored} as stored
      from ${sql.identifier(table)} where ${stored} is not null and not starts_with(${stored}, ${`v1.${current}.`})
      ${after ? sql`and (${names}) > (${list(values)})` : sql``} order by ${names} limit ${BATCH}`,
  );
  return rows;
}

/** Encrypts a batch with the first key, without what cannot be read. */
function sealAgain(rows: readonly Row[], { name, allowPlain }: EncryptedColumn, unreadable: Set<string>) {
  return rows.flatMap(({ key, stored }) => {
    try {
      const text = keyring.decrypt(stored, name, allowPlain);
      const index = blindIndexes.get(name)?.of(text);
      return [{ stored, sealed: keyring.encrypt(text, name), index, ...key }];
    } catch (error) {
      if (!(error instanceof EncryptionError)) throw error;
      unreadable.add(error.message);
      return [];
    }
  });
}

/**
 * Writes a batch, but for rows that a transaction has locked or changed since they were read: it waits for none, so that it can be
 * part of no deadlock.
 *
 * @returns How many it wrote.
 */
async function writeBatch(
  db: NodePgDatabase,
  { name, table, column }: EncryptedColumn,
  keys: readonly KeyColumn[],
  batch: readonly object[],
): Promise<number> {
  const [target, stored] = [sql.identifier(table), sql.identifier(column)];
  const index = blindIndexes.get(name);
  const key = (at: number) => sql.identifier(String(at));
  const types = list(keys.map(({ type }, at) => sql`${key(at)} ${sql.raw(type)}`));
  const same = keys.map((one, at) => sql` and t.${sql.identifier(one.name)} = batch.${key(at)}`);
  const writing = db.execute(
    sql`with free as (
        select t.tableoid as part, t.ctid as place, sealed, index
        from json_to_recordset(${JSON.stringify(batch)}) as batch(stored text, sealed text, index text, ${types})
          join ${target} t on t.${stored} = batch.stored${sql.join(same)}
        for update of t skip locked
      )
      update ${target} t set ${stored} = sealed ${index && sql`, ${sql.identifier(index.column)} = index`}
      from free where t.ctid = place and t.tableoid = part`,
  );
  const { rowCount } = await writing.catch((error) => {
    // drizzle's message quotes the batch, which may hold values in plain text.
    throw error.cause ?? error;
  });
  return rowCount ?? 0;
}

async function primaryKeyOf(db: NodePgDatabase, table: string): Promise<KeyColumn[]> {
  const { rows } = await db.execute<{ name: string; type: string }>(
    sql`select attname as name, format_type(atttypid, atttypmod) as type
      from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
      where indrelid = to_regclass(quote_ident(${table})) and indisprimary
      order by array_position(indkey::smallint[], attnum)`,
  );
  if (rows.length === 0) throw new Error(`${table} has encrypted columns, but no primary key.`);
  return rows;
}

const list = (parts: SQL[] | Name[]): SQL => sql.join(parts, sql`, `);
