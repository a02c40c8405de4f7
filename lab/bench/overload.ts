import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { keepPostgres } from '../../scripts/postgres/keep.mjs';
import { ROOT } from '../../tests/support/server.ts';
import { user } from '../../tests/support/user.ts';
import { prepareDatabase, startContender } from './contender.ts';
import { flightline } from './json.ts';
import { closedLoop, openLoop, quantile } from './open-loop.ts';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 30);
const TIMES_PEAK = 5;
/** So few that the database is what is short, and not this machine, which the load and PostgreSQL share. */
const POOL = process.env.BENCH_POOL ?? '2';

/** Five times the peak load, on a route with 5 ms of database work: how many requests are still served. */
export async function overloadSuite(): Promise<void> {
  const postgres = await keepPostgres({
    folder: join(ROOT, '.data/bench-postgres'),
    database: 'overload',
    durable: false,
    log: () => {},
  });
  await postgres.ready;
  await prepareDatabase(postgres.url);
  const ours = flightline(postgres.url);
  const env = { ...ours.env, LOG_LEVEL: 'fatal', DB_POOL_SIZE: POOL };
  const server = await startContender({ ...ours, name: 'this server', env });
  const database = new pg.Client(postgres.url);
  await database.connect();
  // A run that was interrupted has left its view.
  await database.query(
    `do $$ begin if to_regclass('notes_rows') is not null then
       drop view notes; alter table notes_rows rename to notes; end if; end $$`,
  );
  // The sample's own route, on a table that takes its time.
  await database.query(`insert into notes (owner_id, title) values ($1, 'slow')`, [user.id]);
  await database.query('alter table notes rename to notes_rows');
  await database.query(
    'create view notes as select n.* from notes_rows n cross join lateral (select pg_sleep(0.005) offset 0) pause',
  );
  try {
    const { rows } = await database.query('select max(id) as id from notes_rows');
    const path = `/api/notes/${rows[0].id}`;
    const peaks: number[] = [];
    for (const clients of [32, 64, 128]) peaks.push(await closedLoop(server.port, path, clients, 4));
    const peak = Math.max(...peaks);
    console.log(`peak: ${peak.toFixed(0)} requests a second`);

    const probes: number[] = [];
    let probesFailed = 0;
    let going = true;
    const probing = (async () => {
      for (let i = 0; going; i++) {
        const began = performance.now();
        const answer = await fetch(`http://127.0.0.1:${server.port}${i % 2 ? '/live' : '/ready'}`);
        await answer.text();
        if (answer.status !== 200) probesFailed++;
        probes.push(performance.now() - began);
        await sleep(100);
      }
    })();
    const { sent, times, withoutRetryAfter } = await openLoop(server.port, path, peak * TIMES_PEAK, SECONDS);
    going = false;
    await probing;
    const served = times.get(200) ?? [];
    const refused = times.get(503) ?? [];
    const goodput = served.length / SECONDS;
    console.log(
      `offered: ${(sent / SECONDS).toFixed(0)} a second for ${SECONDS} s, ${(sent / SECONDS / peak).toFixed(1)} times the peak`,
    );
    console.log(
      `served:  ${goodput.toFixed(0)} a second, ${((goodput / peak) * 100).toFixed(0)} % of the peak; p50 ${quantile(served, 0.5).toFixed(0)} ms, p99 ${quantile(served, 0.99).toFixed(0)} ms`,
    );
    console.log(
      `refused: ${refused.length}; p50 ${quantile(refused, 0.5).toFixed(0)} ms, p99 ${quantile(refused, 0.99).toFixed(0)} ms; ${withoutRetryAfter} without Retry-After`,
    );
    console.log(
      `probes:  ${probes.length}, ${probesFailed} failed; p50 ${quantile(probes, 0.5).toFixed(0)} ms, p99 ${quantile(probes, 0.99).toFixed(0)} ms`,
    );
    const others = [...times].filter(([status]) => status !== 200 && status !== 503);
    if (others.length > 0)
      console.log(`others:  ${others.map(([status, { length }]) => `${length} × ${status}`)}`);
    const began = performance.now();
    while ((await fetch(`http://127.0.0.1:${server.port}${path}`)).status !== 200) await sleep(10);
    console.log(
      `over:    the first request after it was served after ${(performance.now() - began).toFixed(0)} ms`,
    );
  } finally {
    await database.query('drop view notes');
    await database.query('alter table notes_rows rename to notes');
    await database.end();
    await server.end();
    await postgres.release();
  }
}
