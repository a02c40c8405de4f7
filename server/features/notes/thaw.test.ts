/** A process that was frozen, as idle instances are: its clocks have jumped, and its connections are gone. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { startServer } from '../../../tests/support/server.ts';

/** `FROZEN_SECONDS=60` for the whole night. */
const FROZEN_MS = Number(process.env.FROZEN_SECONDS ?? 4) * 1_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

it(
  'serves everybody after a freeze that cost it its database connections, the first within 2.5 s',
  async () => {
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    const ask = (path = '/api/notes') =>
      fetch(server.url + path, { headers: { connection: 'close' } }).then(async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      });
    // At work until the moment when it freezes, so that every watch is running.
    await Promise.all(Array.from({ length: 50 }, () => ask()));
    server.child.kill('SIGSTOP');
    await query(
      database.url,
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await sleep(FROZEN_MS);
    // Visitors knock while it is still frozen: their connections wait in the system.
    const early = Array.from({ length: 20 }, () => ask());
    await sleep(200);
    server.child.kill('SIGCONT');
    const thawed = performance.now();
    expect(await ask()).toBe(200);
    const firstMs = performance.now() - thawed;
    if (process.env.FROZEN_SECONDS)
      console.log(`first request ${firstMs.toFixed(0)} ms after ${FROZEN_MS / 1_000} s frozen`);
    expect(firstMs).toBeLessThan(2_500);
    expect(new Set(await Promise.all(early))).toEqual(new Set([200]));
    const statuses = new Set<number>();
    for (let i = 0; i < 20; i++) {
      for (const status of await Promise.all([ask(), ask(), ask('/ready'), ask('/')])) statuses.add(status);
      await sleep(25);
    }
    expect(statuses).toEqual(new Set([200]));
    expect(server.child.exitCode).toBeNull();
  },
  FROZEN_MS + 40_000,
);
