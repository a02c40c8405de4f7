import { eq, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { STRONG } from '../../../../tests/support/config.ts';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { type Database, createDatabase as openPool } from '../pool/pool.ts';
import { blindIndex, encryptedText, secretText } from './encrypted-text.ts';
import { EncryptionError, Keyring, keyIdOf, keyring } from './keyring.ts';
import { checkKeysInUse, keysInUse, openKeyring } from './keys-in-use.ts';

const OLD = STRONG;
const NEW = [...STRONG].reverse().join('');
const phoneIndex = blindIndex('people.phone', 'phone_index', (phone) => phone.replace(/\D/g, ''));
const people = pgTable('people', {
  id: integer().primaryKey(),
  phone: encryptedText('people.phone'),
  phoneIndex: text('phone_index'),
  note: encryptedText('people.note', { allowPlain: true }),
});

describe('a keyring', () => {
  const ring = new Keyring();
  ring.use([OLD, NEW]);

  it('gives back every text, and stores it differently each time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const stored = ring.encrypt(text, 'a.b');
        expect(ring.decrypt(stored, 'a.b')).toBe(text);
        expect(ring.encrypt(text, 'a.b')).not.toBe(stored);
        if (text.length > 8) expect(stored).not.toContain(text);
      }),
    );
  });

  it('opens nothing that was changed, shortened, moved, or made with another key', () => {
    const other = new Keyring();
    other.use([NEW]);
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.string({ maxLength: 3 }), (text, place, instead) => {
        const stored = ring.encrypt(text, 'a.b');
        const at = place % stored.length;
        const changed = stored.slice(0, at) + instead + stored.slice(at + 1);
        const opened =
          (value: string, column = 'a.b') =>
          () =>
            ring.decrypt(value, column);
        if (changed !== stored) expect(opened(changed)).toThrow(EncryptionError);
        expect(opened(stored.slice(0, at))).toThrow(EncryptionError);
        expect(opened(stored, 'a.c')).toThrow(/does not open/);
        expect(opened(stored.replace(keyIdOf(OLD), keyIdOf(NEW)))).toThrow(/does not open/);
        expect(() => other.decrypt(stored, 'a.b')).toThrow(`the key ${keyIdOf(OLD)}, which is not in ENC`);
        // The text itself is accepted where a column allows it, and nowhere else.
        expect(opened(`v0.${text}`)).toThrow(/is not encrypted/);
        expect(ring.decrypt(`v0.${text}`, 'a.b', true)).toBe(text);
      }),
    );
  });

  it('opens one spelling of base64url alone', () => {
    const stored = ring.encrypt('x', 'a.b');
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.replace(
      stored.at(-1) as string,
      '=',
    ))
      expect(() => ring.decrypt(stored.slice(0, -1) + last, 'a.b')).toThrow(EncryptionError);
  });

  it('writes with the first key, and reads with all', () => {
    const rotated = new Keyring();
    rotated.use([NEW, OLD]);
    expect(rotated.decrypt(ring.encrypt('x', 'a.b'), 'a.b')).toBe('x');
    expect(rotated.encrypt('x', 'a.b')).toContain(`v1.${keyIdOf(NEW)}.`);
    expect(rotated.digests('x', 'a.b')).toEqual(ring.digests('x', 'a.b').toReversed());
    expect(rotated.digests('x', 'a.c')).not.toContain(ring.digests('x', 'a.b')[0]);
  });

  it('says what to set where there is no key', () => {
    const none = new Keyring();
    expect(none.enabled).toBe(false);
    expect(() => none.encrypt('my diary', 'a.b')).toThrow(/^a\.b cannot be written: set ENCRYPTION_KEY/);
    expect(() => none.digests('my diary', 'a.b')).toThrow(/set ENCRYPTION_KEY/);
    expect(none.encrypt('my diary', 'a.b', true)).toBe('v0.my diary');
    const stored = ring.encrypt('my diary', 'a.b');
    expect(() => none.decrypt(stored, 'a.b', true)).toThrow(/ENCRYPTION_KEY/);
  });
});

describe('an encrypted column', () => {
  let database: TestDatabase;
  let pool: Database;
  let db: NodePgDatabase;
  const warnings: unknown[] = [];
  const log = { debug() {}, info() {}, warn: (fields: unknown) => void warnings.push(fields) };
  const use = (...keys: string[]) => openKeyring(keys, db, log);

  beforeAll(async () => {
    database = await createDatabase();
    pool = openPool(
      {
        connection: { connectionString: database.url },
        poolSize: 4,
        idleTimeoutMs: 10_000,
        connectTimeoutMs: 10_000,
        statementTimeoutMs: 30_000,
        preparedStatements: true,
        applicationName: 'encryption test',
      },
      log,
    );
    db = pool.db;
    await db.execute(
      sql`create table people (id integer primary key, phone text, phone_index text, note text)`,
    );
  });
  beforeEach(async () => {
    await db.execute(sql`truncate people, encryption_keys`);
    use(OLD);
  });
  afterAll(async () => {
    keyring.use([]);
    await pool.close();
    await database.drop();
    expect(warnings).toEqual([]);
  });

  const stored = async () => (await db.execute(sql`select * from people order by id`)).rows;

  it('holds ciphertext, reads as text, and keeps null', async () => {
    await db.insert(people).values({ id: 1, phone: secretText('+49 30 1234'), note: null });
    await db
      .update(people)
      .set({ note: secretText('call back') })
      .where(eq(people.id, 1));
    await db.insert(people).values({ id: 2 });
    expect(await db.select().from(people).orderBy(people.id)).toEqual([
      { id: 1, phone: '+49 30 1234', phoneIndex: null, note: 'call back' },
      { id: 2, phone: null, phoneIndex: null, note: null },
    ]);
    const [row, empty] = await stored();
    expect(JSON.stringify(row)).not.toMatch(/1234|call/);
    expect(row).toMatchObject({ phone: expect.stringContaining(`v1.${keyIdOf(OLD)}.`) });
    expect(empty).toMatchObject({ phone: null, note: null });
  });

  it('is not compared: that does not compile', () => {
    // @ts-expect-error A text is no SecretText.
    eq(people.phone, '+49 30 1234');
    // @ts-expect-error Nor is what is written: secretText() says so.
    db.insert(people).values({ id: 1, phone: '+49 30 1234' });
  });

  it('is found by its blind index, whichever key it was written with', async () => {
    const add = (id: number, phone: string) =>
      db.insert(people).values({ id, phone: secretText(phone), phoneIndex: phoneIndex.of(phone) });
    await add(1, '+49 30 1234');
    use(NEW, OLD);
    await add(2, '+49-30-1234');
    await add(3, '+49 30 1235');
    const found = await db
      .select({ id: people.id })
      .from(people)
      .where(phoneIndex.equals(people.phoneIndex, '4930 1234'))
      .orderBy(people.id);
    expect(found).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('does not open what was moved to another column, or changed', async () => {
    await db.insert(people).values({ id: 1, phone: secretText('+49 30 1234') });
    await db.execute(sql`update people set note = phone`);
    await expect(db.select({ note: people.note }).from(people)).rejects.toThrow(
      /people\.note does not open: .* from another column/,
    );
    await db.execute(sql`update people set phone = overlay(phone placing 'AAAA' from 20)`);
    await expect(db.select({ phone: people.phone }).from(people)).rejects.toThrow(/has been changed/);
  });

  it('records its key at the first write, and is refused by name where that is missing', async () => {
    await checkKeysInUse(db);
    expect(await keysInUse(db)).toEqual([]);
    await db.insert(people).values({ id: 1, phone: secretText('+49 30 1234') });
    await expect.poll(() => keysInUse(db)).toEqual([keyIdOf(OLD)]);
    await checkKeysInUse(db);
    use(NEW);
    await expect(checkKeysInUse(db)).rejects.toThrow(`ENCRYPTION_KEY\n    lacks the key ${keyIdOf(OLD)},`);
    use(NEW, OLD);
    await checkKeysInUse(db);
    use();
    await expect(checkKeysInUse(db)).rejects.toThrow(keyIdOf(OLD));
  });
});
