import { inspect } from 'node:util';
import { eq, type SQL, sql } from 'drizzle-orm';
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
import { holdings, reEncrypt } from './re-encrypt.ts';

const OLD = STRONG;
const NEW = [...STRONG].reverse().join('');
const phoneIndex = blindIndex('people.phone', 'phone_index', (phone) => phone.replace(/\D/g, ''));
const people = pgTable('people', {
  id: integer().primaryKey(),
  phone: encryptedText('people.phone'),
  phoneIndex: text('phone_index'),
  note: encryptedText('people.note', { allowPlain: true }),
});

const visits = pgTable('visits', {
  id: integer().primaryKey(),
  note: encryptedText('visits.note', { allowPlain: true }),
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

  it('reads what earlier versions have written', () => {
    const text = 'blåbærgrød';
    const stored = 'v1.966df987.XximuWK_G5LGh7VqprQx29-4ZR1jczlXc6h4v85WYEtWHIwsAV3swOc';
    expect(ring.decrypt(stored, 'a.b')).toBe(text);
    expect(ring.digests(text, 'a.b')[0]).toBe('rutTC5H3aH9mnbyatpzDVTjwpgRSmeoFzinyUuJMa0Q');
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

  it('refuses two keys with one id, which it could not tell apart', () => {
    const [one, other] = ['040514', '041062'].map((n) => `an-encryption-key-of-a-test-nr-${n}`) as [
      string,
      string,
    ];
    expect(keyIdOf(one)).toBe(keyIdOf(other));
    expect(() => new Keyring().use([one, NEW, other])).toThrow(
      /ENCRYPTION_KEY\s+has two keys with the id 6a2103a2/,
    );
    new Keyring().use([one, one]);
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
    await db.execute(sql`create table visits (id integer primary key, note text) partition by range (id)`);
    await db.execute(sql`create table visits_1 partition of visits for values from (0) to (100)`);
    await db.execute(sql`create table visits_2 partition of visits for values from (100) to (200)`);
  });
  beforeEach(async () => {
    // What the test before recorded beside its statements has arrived.
    await expect.poll(() => pool.stats().total - pool.stats().idle).toBe(0);
    await db.execute(sql`truncate people, visits, encryption_keys`);
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

  describe('re-encrypted', () => {
    /** Thirty-three batches, written with the old key, or in plain text. */
    const fill = async () => {
      const rows = Array.from({ length: 650 }, (_, n) => {
        const phone = String(10_000 + n);
        return { id: n * 3 - 500, phone: secretText(phone), phoneIndex: phoneIndex.of(phone) };
      });
      await db.insert(people).values(rows);
      await expect.poll(() => keysInUse(db)).toEqual([keyIdOf(OLD)]);
    };

    it('holds the new key alone, in text and index, and the old one is forgotten', async () => {
      await fill();
      use();
      await db.insert(people).values({ id: 9_000, note: secretText('in plain text') });
      use(NEW, OLD);
      expect(await holdings(db)).toEqual([
        { name: 'people.phone', key: keyIdOf(OLD), rows: 650 },
        { name: 'people.note', key: null, rows: 1 },
      ]);
      const told: number[] = [];
      const progress = (done: number, total: number) => told.push(done, total);
      expect(await reEncrypt(db, { progress })).toEqual({ written: 651, left: 0, unreadable: [] });
      expect(told.slice(0, 4)).toEqual([20, 651, 40, 651]);
      expect(await keysInUse(db)).toEqual([keyIdOf(NEW)]);
      use(NEW);
      expect(await holdings(db)).toEqual([
        { name: 'people.phone', key: keyIdOf(NEW), rows: 650 },
        { name: 'people.note', key: keyIdOf(NEW), rows: 1 },
      ]);
      const [found] = await db.select().from(people).where(phoneIndex.equals(people.phoneIndex, '10007'));
      expect(found).toMatchObject({ id: -479, phone: '10007' });
      expect((await db.select({ note: people.note }).from(people).where(eq(people.id, 9_000)))[0]).toEqual({
        note: 'in plain text',
      });
      expect(await reEncrypt(db)).toEqual({ written: 0, left: 0, unreadable: [] });
    });

    it('keeps each value in its row where a table has partitions', async () => {
      const rows = [1, 2, 101, 102].map((id) => ({ id, note: secretText(`of ${id}`) }));
      await db.insert(visits).values(rows);
      use(NEW, OLD);
      expect(await reEncrypt(db)).toEqual({ written: 4, left: 0, unreadable: [] });
      expect(await db.select().from(visits).orderBy(visits.id)).toEqual(rows);
    });

    it('goes on where it was ended', async () => {
      await fill();
      use(NEW, OLD);
      const stop = new AbortController();
      const progress = () => stop.abort(new Error('ended'));
      await expect(reEncrypt(db, { signal: stop.signal, progress })).rejects.toThrow('ended');
      expect(await holdings(db)).toContainEqual({ name: 'people.phone', key: keyIdOf(NEW), rows: 20 });
      expect((await keysInUse(db)).toSorted()).toEqual([keyIdOf(OLD), keyIdOf(NEW)].toSorted());
      expect(await reEncrypt(db)).toMatchObject({ written: 630, left: 0 });
    });

    it('neither undoes what others write, nor waits for them', async () => {
      await fill();
      use(NEW, OLD);
      await pool.transaction(async (tx) => {
        await tx
          .update(people)
          .set({ phone: secretText('mine') })
          .where(eq(people.id, -500));
        await tx.execute(sql`select from people where id = -497 for update`);
        expect(await reEncrypt(db)).toMatchObject({ written: 648, left: 2 });
      });
      expect(await keysInUse(db)).toContain(keyIdOf(OLD));
      // The last one is written between the read of its batch and its write.
      let sealed = false;
      keyring.use([NEW, OLD], () => {
        sealed = true;
      });
      const meddling = Object.assign(Object.create(db) as typeof db, {
        async execute(statement: SQL) {
          if (sealed)
            await db
              .update(people)
              .set({ phone: secretText('late') })
              .where(eq(people.id, -497));
          return db.execute(statement);
        },
      });
      expect(await reEncrypt(meddling)).toMatchObject({ written: 0, left: 0 });
      const { rows } = await db.execute(sql`select phone from people where id < -496 order by id`);
      expect(rows.map(({ phone }) => keyring.decrypt(phone as string, 'people.phone'))).toEqual([
        'mine',
        'late',
      ]);
    });

    it('quotes no plain text where the database refuses a batch', async () => {
      use();
      await db.insert(people).values({ id: 1, note: secretText('my diary') });
      use(NEW);
      await db.execute(sql`alter table people add constraint plain check (note like 'v0.%')`);
      const error = await reEncrypt(db).catch((reason) => reason);
      await db.execute(sql`alter table people drop constraint plain`);
      expect(error.message).toContain('violates check constraint');
      expect(inspect(error)).not.toContain('my diary');
    });

    it('leaves and names what it cannot read', async () => {
      await fill();
      await db.execute(sql`update people set phone = 'v1.00000000.AAAA' where id = -500`);
      await db.execute(sql`update people set phone = ${keyring.encrypt('x', 'people.note')} where id = -497`);
      use(NEW, OLD);
      const { written, left, unreadable } = await reEncrypt(db);
      expect([written, left]).toEqual([648, 2]);
      expect(unreadable).toEqual([
        expect.stringMatching(/people\.phone is not encrypted, or has been changed/),
        expect.stringMatching(/people\.phone does not open/),
      ]);
      use();
      await expect(reEncrypt(db)).rejects.toThrow(/ENCRYPTION_KEY is unset/);
    });
  });
});
