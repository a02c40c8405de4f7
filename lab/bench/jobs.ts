/**
 * Small jobs done in a second, compared with other packages on PostgreSQL; how soon one begins in another process; and what a
 * request for a page costs while ten jobs run in the same process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { MARKS } from '../../tests/support/jobs-fixture/marks.ts';
import { ROOT } from '../../tests/support/server.ts';
import { until } from '../../tests/support/until.ts';
import { type Contender, onServerCore, startContender, withDatabase } from './contender.ts';
import { openLoop, quantile } from './open-loop.ts';
import { keep, print, type Table } from './results.ts';
import { middle, ROUNDS, ratio, SECONDS, withSpread } from './rounds.ts';

const FIXTURE = join(ROOT, 'tests/support/jobs-fixture/main.ts');
/** Jobs that wait at the begin of a turn, less what was done while they were added. */
const BACKLOG = Number(process.env.BENCH_JOBS ?? 10_000);
/** A turn holds several polls of pg-boss, which are 2 s apart, and a renewal of leases, every 5 s. */
const TURN_SECONDS = Math.max(SECONDS, 6);
const SAMPLES = Number(process.env.BENCH_SAMPLES ?? 200);

interface Queue {
  readonly pool: pg.Pool;
  /** Adds so many jobs that do nothing. */
  add(count: number): Promise<unknown>;
  /** Counts those that are not done. */
  readonly left: string;
  readonly clear: string;
}

export async function jobsSuite(): Promise<void> {
  await withDatabase('jobs', async (connectionString) => {
    const children: ChildProcess[] = [];
    const begin = async (command: string[], sign: string, env: Record<string, string> = {}) => {
      const [program = '', ...args] = onServerCore([process.execPath, ...command]);
      const child = spawn(program, args, {
        env: { PATH: process.env.PATH, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.push(child);
      process.once('exit', () => child.kill('SIGKILL'));
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
      await until(sign, () => {
        if (child.exitCode !== null) throw new Error(said);
        return said.includes(sign);
      });
    };
    const pools = await Promise.all(
      ['jobs', 'jobs_pg_boss', 'jobs_graphile'].map((name) => emptyDatabase(connectionString, name)),
    );
    const [ours, boss, graphile] = pools as [pg.Pool, pg.Pool, pg.Pool];
    await ours.query(MARKS);
    const url = (pool: pg.Pool) => pool.options.connectionString as string;
    const env = { DATABASE_URL: url(ours), RATE_LIMIT_MAX: '1000000', WORKER: 'off' };
    const web = await startContender({
      name: 'web',
      command: [process.execPath, FIXTURE],
      env,
      ready: '/ready',
    });
    try {
      await begin([FIXTURE, 'worker'], 'running jobs', { DATABASE_URL: url(ours) });
      for (const [name, pool] of [
        ['pg-boss', boss],
        ['graphile-worker', graphile],
      ] as const)
        await begin([join(ROOT, 'lab/bench/contenders/jobs.ts'), name, url(pool)], 'ready');

      const latencies = await startsOf(web, ours);
      const rates = await takeTurns({
        'this server': {
          pool: ours,
          add: (count) => enqueue(web, 'nothing', count),
          left: "select count(*)::int from pgboss.job_common where state < 'completed'",
          clear: "delete from pgboss.job_common where state <> 'active'",
        },
        'pg-boss, its defaults': {
          pool: boss,
          add: (count) =>
            boss.query(
              `insert into pgboss.job (name, data) select 'nothing', '{}' from generate_series(1, $1::int)`,
              [count],
            ),
          left: "select count(*)::int from pgboss.job where name = 'nothing' and state < 'completed'",
          clear: "delete from pgboss.job where name = 'nothing' and state <> 'active'",
        },
        'graphile-worker': {
          pool: graphile,
          add: (count) =>
            graphile.query(
              `select graphile_worker.add_job('nothing', '{}') from generate_series(1, $1::int)`,
              [count],
            ),
          left: 'select count(*)::int from graphile_worker._private_jobs',
          clear: 'delete from graphile_worker._private_jobs where locked_at is null',
        },
      });
      const [first] = rates.values();
      const [p50, p99] = [0.5, 0.99].map((share) => `${quantile(latencies, share).toFixed(1)} ms`);
      const table: Table = [
        ['', 'jobs a second', 'against this server', 'enqueue to start elsewhere: p50 · p99'],
        ...[...rates].map(([name, found], n) => [
          name,
          withSpread(found),
          n === 0 ? '1.00' : ratio(found, first ?? []).toFixed(2),
          n === 0 ? `${p50} · ${p99}` : '',
        ]),
      ];
      print(table);
      await keep('jobs', table, { rates: Object.fromEntries(rates), latencies, middle: middle(latencies) });
    } finally {
      await web.end();
      for (const child of children) {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }
      for (const pool of pools) await pool.end();
    }
  });
}

async function emptyDatabase(connectionString: string, name: string): Promise<pg.Pool> {
  const url = new URL(connectionString);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`drop database if exists bench_${name} with (force)`);
  await client.query(`create database bench_${name} template template0`);
  await client.end();
  url.pathname = `/bench_${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 2 });
  // PostgreSQL closes what is still open when it ends.
  pool.on('error', () => {});
  return pool;
}

async function enqueue({ port }: Contender, job: string, count: number, ms = 0): Promise<void> {
  const url = `http://127.0.0.1:${port}/api/marks?job=${job}&count=${count}&ms=${ms}`;
  const answer = await fetch(url, { method: 'POST' });
  if (!answer.ok) throw new Error(`${url} was answered ${answer.status}`);
  await answer.arrayBuffer();
}

/** Requests for a page of 20 rows a second. */
const PAGES_A_SECOND = 200;

/** A page while ten jobs run in the same process and while none does, in turns. */
export async function jobsPageSuite(): Promise<void> {
  await withDatabase('jobs', async (connectionString) => {
    const pool = await emptyDatabase(connectionString, 'jobs');
    await pool.query(MARKS);
    try {
      await pageBesideJobs(pool);
    } finally {
      await pool.end();
    }
  });
}

async function pageBesideJobs(pool: pg.Pool): Promise<void> {
  const server = await startContender({
    name: 'with jobs',
    command: [process.execPath, FIXTURE],
    env: { DATABASE_URL: pool.options.connectionString as string, RATE_LIMIT_MAX: '1000000' },
    ready: '/ready',
  });
  const cpu = { none: [] as number[], ten: [] as number[] };
  const slowest = { none: [] as number[], ten: [] as number[] };
  try {
    for (let round = -1; round < ROUNDS; round++) {
      const order: (keyof typeof cpu)[] = round % 2 === 0 ? ['none', 'ten'] : ['ten', 'none'];
      for (const jobs of order) {
        await pool.query('delete from pgboss.job_common');
        await pool.query('truncate marks');
        await pool.query(`insert into marks (n, what, pid) select n, 'row', 0 from generate_series(1, 20) n`);
        // They wait, as for another service, longer than the turn.
        if (jobs === 'ten') await enqueue(server, 'work', 10, TURN_SECONDS * 1_000 + 4_000);
        const begun = `select count(*)::int from marks where what = 'begun'`;
        await until(
          'they run',
          async () => (await pool.query(begun)).rows[0].count === (jobs === 'ten' ? 10 : 0),
        );
        const before = server.processorUs();
        const { sent, times } = await openLoop(server.port, '/api/marks', PAGES_A_SECOND, TURN_SECONDS, 20);
        const used = (server.processorUs() - before) / sent;
        const answered = times.get(200) ?? [];
        if (times.size > 1) throw new Error(`not all were answered 200: ${[...times.keys()]}`);
        // The first round warms up.
        if (round >= 0) {
          cpu[jobs].push(used);
          slowest[jobs].push(quantile(answered, 0.99));
        }
        const done = `select count(*)::int from pgboss.job_common where state < 'completed'`;
        await until('they are done', async () => (await pool.query(done)).rows[0].count === 0);
      }
    }
  } finally {
    await server.end();
  }
  const table: Table = [
    ['a page', 'processor time, µs', 'p99, ms'],
    ['no job runs', withSpread(cpu.none), withSpread(slowest.none, 2)],
    ['ten jobs run', withSpread(cpu.ten), withSpread(slowest.ten, 2)],
    ['ratio', ratio(cpu.ten, cpu.none).toFixed(2), ratio(slowest.ten, slowest.none).toFixed(2)],
  ];
  print(table);
  await keep('jobs-page', table, { cpu, slowest });
}

/** From before the request that enqueues one to the first statement of its handler, in milliseconds; one at a time. */
async function startsOf(web: Contender, pool: pg.Pool): Promise<number[]> {
  const found: number[] = [];
  for (let n = -10; n < SAMPLES; n++) {
    await pool.query('truncate marks');
    const began = Date.now();
    await enqueue(web, 'work', 1);
    for (;;) {
      const { rows } = await pool.query(`select at from marks where what = 'begun'`);
      if (rows.length === 0) {
        await sleep(1);
        continue;
      }
      // The first ones warm up.
      if (n >= 0) found.push(rows[0].at.getTime() - began);
      break;
    }
    await sleep(20);
  }
  return found;
}

/** They take turns: the others rest, since they have nothing to do. */
async function takeTurns(queues: Record<string, Queue>): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>(Object.keys(queues).map((name) => [name, []]));
  const there = Object.entries(queues);
  const back = there.toReversed();
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, { pool, add, left, clear }] of round % 2 === 0 ? there : back) {
      const count = async () => (await pool.query(left)).rows[0].count as number;
      for (let added = 0; added < BACKLOG; added += 1_000) await add(1_000);
      const [before, began] = [await count(), performance.now()];
      if (before === 0) throw new Error(`${name} had nothing left to do: raise BENCH_JOBS`);
      let [after, ended] = [before, began];
      while (after > 0 && ended - began < TURN_SECONDS * 1_000) {
        await sleep(50);
        [after, ended] = [await count(), performance.now()];
      }
      await pool.query(clear);
      // The first round warms up.
      if (round >= 0) found.get(name)?.push(((before - after) / (ended - began)) * 1_000);
      await sleep(200);
    }
  }
  return found;
}
