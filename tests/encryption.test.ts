/** Keys of encrypted columns, in processes of their own: a start without one, and a rotation. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keyIdOf } from '../server/platform/database/encryption/keyring.ts';
import { LETTERS } from './support/encrypted-fixture/letters.ts';
import { createDatabase, query, type TestDatabase } from './support/postgres.ts';
import { runCommand } from './support/run-command.ts';
import { startServer } from './support/server.ts';

const main = join(import.meta.dirname, 'support/encrypted-fixture/main.ts');
const OLD = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
const NEW = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  await query(database.url, LETTERS);
});
afterEach(() => database.drop());

const start = (keys: string) =>
  startServer({ DATABASE_URL: database.url, ...(keys && { ENCRYPTION_KEY: keys }) }, { main });
const keys = (configured: string, ...args: string[]) => {
  const env = { PATH: process.env.PATH, DATABASE_URL: database.url, ENCRYPTION_KEY: configured };
  return runCommand(process.execPath, [main, 'keys', ...args], { env });
};
const recorded = async () =>
  (await query(database.url, 'select id from encryption_keys order by first_used_at')).rows.map(
    ({ id }) => id,
  );

/** Serves with these keys. @param count Letters to be written. */
async function serve(configured: string, count: number): Promise<string> {
  await using server = await start(configured);
  await server.ready();
  if (count > 0) {
    const answer = await fetch(`${server.url}/api/letters`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ count, body: 'my diary' }),
    });
    expect(answer.status, server.output()).toBe(201);
    await expect.poll(recorded).toContain(keyIdOf(configured.split(',')[0] as string));
  }
  const answer = await fetch(`${server.url}/api/letters/1`);
  const text = await answer.text();
  expect(await server.end()).toBe(0);
  for (const secret of ['my diary', OLD, NEW]) expect(server.output()).not.toContain(secret);
  return text;
}

it('a start that lacks a key in use is refused by its name, and one without any key where none is', async () => {
  expect(await serve('', 0)).toBe('{}');
  expect(JSON.parse(await serve(OLD, 3))).toEqual({ id: 1, body: 'my diary' });
  for (const configured of [NEW, '']) {
    await using server = await start(configured);
    expect(await server.ended()).toBe(78);
    expect(server.output()).toContain(`ENCRYPTION_KEY\n    lacks the key ${keyIdOf(OLD)},`);
    expect(server.output()).not.toMatch(/→ ready/);
  }
});

it('a key is rotated: read with both, written anew, and removed', async () => {
  const [old, fresh] = [keyIdOf(OLD), keyIdOf(NEW)];
  await serve(OLD, 250);
  expect(JSON.parse(await serve(`${NEW},${OLD}`, 1))).toEqual({ id: 1, body: 'my diary' });
  expect(await keys(`${NEW},${OLD}`)).toEqual({
    code: 0,
    // Parts have columns as well.
    output: expect.stringMatching(/^Encrypted columns: \d+\n/),
  });
  expect((await keys(`${NEW},${OLD}`)).output.replace(/.*\n/, '')).toBe(
    `key ${fresh} writes\n  letters.body: 1\nkey ${old} reads\n  letters.body: 250\n`,
  );
  expect(await keys(NEW)).toMatchObject({ code: 1, output: expect.stringContaining(`${old} is MISSING`) });
  expect(await keys(NEW, 're-encrypt')).toMatchObject({
    code: 1,
    output: expect.stringContaining(`with the key ${old}, which is not in ENCRYPTION_KEY`),
  });
  expect(await recorded()).toEqual([old, fresh]);
  expect(await keys(`${NEW},${OLD}`, 're-encrypt')).toEqual({
    code: 0,
    // Behind lines of progress, where it takes long.
    output: expect.stringMatching(
      new RegExp(`^(?:\\d+ of 250\\n)*250 values are written with the key ${fresh}\\.\\n$`),
    ),
  });
  expect(await recorded()).toEqual([fresh]);
  expect(JSON.parse(await serve(NEW, 0))).toEqual({ id: 1, body: 'my diary' });
});
