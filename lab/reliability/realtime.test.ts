import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readEvents } from '../../tests/support/event-reader.ts';
import { createDatabase, query, type TestDatabase } from '../../tests/support/postgres.ts';
import { freePort, type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { until } from '../../tests/support/until.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const WRITERS = 8;
const KILLS = 5;

it('a publisher that is killed under load at any moment loses no event that it committed', async () => {
  const env = { DATABASE_URL: database.url };
  await using reader = await startServer(env);
  const port = String(await freePort());
  let publisher: SpawnedServer = await startServer({ ...env, PORT: port });
  await Promise.all([reader.ready(), publisher.ready()]);
  using stream = await readEvents(reader.url, 'notes');
  await stream.joined();

  let writing = true;
  const writers = Array.from({ length: WRITERS }, async () => {
    while (writing) {
      await fetch(`http://127.0.0.1:${port}/api/notes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"title":"x"}',
      }).catch(() => sleep(20));
    }
  });
  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(300 + Math.random() * 700);
    await publisher.end('SIGKILL');
    publisher = await startServer({ ...env, PORT: port });
    await publisher.ready();
  }
  writing = false;
  await Promise.all(writers);
  await publisher.end();

  const { rows } = await query(database.url, 'select id::int from notes order by id');
  const committed = rows.map(({ id }) => id as number);
  expect(committed.length).toBeGreaterThan(100);
  const told = () => stream.payloads('notes').map((payload) => (payload as { id: number }).id);
  await until('all events', () => told().length >= committed.length);
  expect(told().toSorted((one, other) => one - other)).toEqual(committed);
  expect(stream.ended).toBe(false);
});
