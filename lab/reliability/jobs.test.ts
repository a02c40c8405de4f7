/** Workers that are killed, ended, frozen, cut off and given the wrong time, under load: no job is lost. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MARKS } from '../../tests/support/jobs-fixture/marks.ts';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { ROOT, startServer } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { until } from '../../tests/support/until.ts';
import { startPooler } from './support/machines.ts';
import { fullOrShort, has, ms, record, within } from './support/suite.ts';

const main = join(ROOT, 'tests', 'support', 'jobs-fixture', 'main.ts');
const FAKETIME = ['x86_64', 'aarch64']
  .map((cpu) => `/usr/lib/${cpu}-linux-gnu/faketime/libfaketime.so.1`)
  .find(existsSync);

interface Mark {
  n: number;
  what: string;
  pid: number;
  at: Date;
}

/** A database, a server that enqueues, and workers. */
async function scene() {
  const database = await createDatabase();
  await query(database.url, MARKS);
  const processes = new AsyncDisposableStack();
  const start = async (env: Record<string, string>, args: string[] = []) =>
    processes.use(await startServer({ DATABASE_URL: database.url, ...env }, { main, args }));
  const web = await start({ WORKER: 'off' });
  await web.ready().catch(async (error) => {
    await processes.disposeAsync();
    throw error;
  });
  let enqueued = 0;
  const marks = async (): Promise<Mark[]> =>
    (await query(database.url, 'select * from marks order by at')).rows;
  return {
    url: database.url,
    marks,
    enqueued: () => enqueued,
    async worker(env: Record<string, string> = {}) {
      const started = await start(env, ['worker']);
      await until('the worker has begun', () => {
        if (started.child.exitCode !== null) throw new Error(started.output());
        return started.output().includes('running jobs');
      });
      return started;
    },
    async enqueue(count: number, runMs: number, inMs = 0) {
      const path = `/api/marks?job=work&count=${count}&ms=${runMs}&inMs=${inMs}&from=${enqueued}`;
      expect((await fetch(web.url + path, { method: 'POST' })).status).toBe(201);
      enqueued += count;
    },
    /** All that were enqueued have been done, and are written as done. @returns What happened. */
    async allDone(): Promise<Mark[]> {
      await until(
        'all jobs are done',
        async () =>
          (await query(database.url, `select from pgboss.job where state = 'completed'`)).rowCount ===
          enqueued,
        120_000,
        100,
      );
      const found = await marks();
      expect(new Set(found.filter(({ what }) => what === 'done').map(({ n }) => n)).size).toBe(enqueued);
      return found;
    },
    [Symbol.asyncDispose]: () => processes.disposeAsync(),
  };
}

/** @returns How long after `since` each job that `pid` had begun and not done was begun by another process, in milliseconds. */
function begunElsewhere(marks: readonly Mark[], pid: number | undefined, since: number): number[] {
  const of = (one: Mark, what: string) => one.pid === pid && one.what === what && one.at.getTime() <= since;
  const done = new Set(marks.filter((one) => of(one, 'done')).map(({ n }) => n));
  return marks
    .filter((one) => of(one, 'begun') && !done.has(one.n))
    .map(({ n }) => {
      const again = marks.find(
        (one) => one.n === n && one.what === 'begun' && one.pid !== pid && one.at.getTime() > since,
      );
      return (again?.at.getTime() ?? Number.POSITIVE_INFINITY) - since;
    });
}

describe.concurrent('no job is lost', () => {
  it.each([
    ['jobsKilled', 'SIGKILL'],
    ['jobsEnded', 'SIGTERM'],
  ] as const)('%s: workers that get %s at any moment', async (row, signal) => {
    await using place = await scene();
    const workers = await Promise.all([place.worker(), place.worker()]);
    const ends: { pid: number | undefined; at: number }[] = [];
    let busy = true;
    const load = (async () => {
      for (; busy; await sleep(200)) await place.enqueue(5, 50 + Math.round(Math.random() * 300));
    })();
    for (let n = 0; n < (signal === 'SIGKILL' ? 5 : fullOrShort(5, 2)); n++) {
      await sleep(200 + Math.random() * 600);
      const [victim] = workers.splice(Math.floor(Math.random() * workers.length), 1);
      expect(await victim?.end(signal)).toBe(signal === 'SIGKILL' ? signal : 0);
      ends.push({ pid: victim?.child.pid, at: Date.now() });
      workers.push(await place.worker());
    }
    busy = false;
    await load;
    const marks = await place.allDone();
    const again = ends.flatMap(({ pid, at }) => begunElsewhere(marks, pid, at));
    const { rows } = await query(place.url, 'select count(*)::int from pgboss.job where retry_count > 0');
    if (signal === 'SIGKILL') {
      const last = `the last begun again ${(Math.max(...again) / 1_000).toFixed(1)} s after it`;
      record(row, `0 of ${place.enqueued()} lost; ${again.length} were under way at the kills, ${last}`);
      expect(again.length).toBeGreaterThan(0);
      expect(Math.max(...again)).toBeLessThan(within(30_000));
    } else {
      record(row, `0 of ${place.enqueued()} lost, ${rows[0].count} attempts counted`);
      expect(rows).toEqual([{ count: 0 }]);
    }
  });

  it('of a worker that cannot reach the database', async () => {
    await using place = await scene();
    const url = new URL(place.url);
    const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    await place.worker({ DATABASE_URL: url.href, DB_CONNECT_TIMEOUT_MS: '1000' });
    await place.enqueue(30, 300);
    await until('it is at work', async () => (await place.marks()).some(({ what }) => what === 'done'));
    await proxy.refuse();
    await place.enqueue(30, 10);
    const awayMs = fullOrShort(60_000, 8_000);
    await sleep(awayMs);
    await proxy.pass();
    const back = Date.now();
    const marks = await place.allDone();
    await proxy.stop();
    const first = Math.min(...marks.map(({ at }) => at.getTime()).filter((at) => at > back)) - back;
    record('jobsAway', `0 of 60 lost; away for ${awayMs / 1_000} s, at work again ${ms(first)} after it`);
    expect(first).toBeLessThan(within(15_000));
  });

  it('of a worker that is frozen', async () => {
    await using place = await scene();
    const [frozen] = await Promise.all([place.worker(), place.worker()]);
    // It is frozen in the first two seconds of its jobs, on a slow machine as well.
    await place.enqueue(60, 2_000);
    await until('it is at work', async () =>
      (await place.marks()).some(({ pid }) => pid === frozen.child.pid),
    );
    frozen.child.kill('SIGSTOP');
    const since = Date.now();
    await sleep(fullOrShort(60_000, 18_000));
    frozen.child.kill('SIGCONT');
    const marks = await place.allDone();
    const again = begunElsewhere(marks, frozen.child.pid, since);
    record(
      'jobsFrozen',
      `0 of 60 lost; ${again.length} under way, begun elsewhere ${(Math.max(...again) / 1_000).toFixed(1)} s after it`,
    );
    expect(again.length).toBeGreaterThan(0);
    expect(Math.max(...again)).toBeLessThan(within(30_000));
    expect(await frozen.end()).toBe(0);
  });

  it.skipIf(!FAKETIME)('of a worker whose clock jumps an hour ahead and back again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clock-'));
    const clock = join(folder, 'clock');
    await writeFile(clock, '+0');
    await using place = await scene();
    await place.worker({
      LD_PRELOAD: FAKETIME ?? '',
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      // A real step leaves the monotonic clock alone.
      DONT_FAKE_MONOTONIC: '1',
    });
    const delays: number[] = [];
    for (const [n, step] of ['+3600', '+0', '-3600', '+0'].entries()) {
      // The step comes between enqueuing and the due time, when the timer is armed.
      await place.enqueue(1, 1, 1_000);
      const due = Date.now() + 1_000;
      await sleep(300);
      await writeFile(clock, step);
      await place.enqueue(1, 1, 700);
      const marks = await until('both have begun', async () => {
        const found = (await place.marks()).filter(({ what }) => what === 'begun');
        return found.length === 2 * (n + 1) && found;
      });
      delays.push((marks.at(-1)?.at.getTime() ?? 0) - due);
    }
    await place.allDone();
    await rm(folder, { recursive: true });
    record('jobsClock', `4 steps: begun ${ms(Math.max(...delays))} after they were due at most`);
    expect(Math.max(...delays)).toBeLessThan(within(5_000));
  });

  it.skipIf(!has('pgbouncer'))('of a worker behind a transaction pooler', async () => {
    await using place = await scene();
    await using pooler = await startPooler(place.url);
    await place.worker({ DATABASE_URL: pooler.url, MIGRATE_ON_START: 'false' });
    const delays: number[] = [];
    for (let n = 0; n < 3; n++) {
      const before = (await place.marks()).length;
      await place.enqueue(10, 1);
      const enqueuedAt = Date.now();
      const marks = await until('it is at work', async () => {
        const found = await place.marks();
        return found.length > before && found;
      });
      delays.push((marks[before]?.at.getTime() ?? 0) - enqueuedAt);
      await place.allDone();
    }
    record('jobsPooler', `0 of 30 lost; begun ${ms(Math.max(...delays))} after they were enqueued at most`);
    expect(Math.max(...delays)).toBeLessThan(within(5_000));
  });
});
