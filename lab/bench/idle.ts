import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { keepPostgres } from '../../scripts/postgres/keep.mjs';
import { freePort, ROOT } from '../../tests/support/server.ts';
import { COUNTING_TIMERS } from '../../tests/support/timers.ts';

const IDLE_SECONDS = Number(process.env.BENCH_SECONDS ?? 60);
/** Connections of the pool are closed after 10 s without use; after that there is nothing left to do. */
const SETTLE_MS = 15_000;

/** What is watched: the server as it is built, and one that has jobs, with all parts on. */
const SERVERS = ['dist/server/main.js'];
SERVERS.push('tests/support/jobs-fixture/main.ts');

/** Queries and timers of ready servers without requests, side by side: for a minute, or `BENCH_SECONDS`. */
export async function idleSuite(): Promise<void> {
  const found = await Promise.all(SERVERS.map((main, n) => watch(main, `idle${n}`)));
  for (const [n, { queries, ours, node }] of found.entries()) {
    console.log(
      `${SERVERS[n]}, in ${IDLE_SECONDS} s without requests: ${queries} queries, ${ours} timers of ours fired`,
    );
    console.log(`(${node} of Node's own: its sweep over connections with slow headers, once a second)`);
  }
}

async function watch(main: string, database: string) {
  const postgres = await keepPostgres({
    folder: join(ROOT, '.data/bench-postgres'),
    database,
    durable: false,
    log: () => {},
  });
  await postgres.ready;
  // The cluster's own housekeeping counts as transactions of this database.
  await setting(postgres.url, 'alter system set autovacuum = off');
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [...COUNTING_TIMERS, main], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: postgres.url,
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  child.stdout?.on('data', (chunk) => said.push(String(chunk)));
  const status = () =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      (answer) => answer.status,
      () => 0,
    );
  while ((await status()) !== 200) await sleep(50);

  await sleep(SETTLE_MS);
  child.kill('SIGWINCH');
  const before = await transactions(postgres.url);
  await sleep(IDLE_SECONDS * 1_000);
  const queries = (await transactions(postgres.url)) - before;
  said.length = 0;
  child.kill('SIGWINCH');
  await sleep(500);
  const { timersFired } = JSON.parse(said.join('')) as { timersFired: { ours: number; node: number } };
  child.kill('SIGTERM');
  await once(child, 'exit');
  await setting(postgres.url, 'alter system reset autovacuum');
  await postgres.release();
  return { queries, ...timersFired };
}

async function setting(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.query('select pg_reload_conf()');
  await client.end();
}

/** Transactions of the database so far, but for those that ask; asked over another database, which counts apart. */
async function transactions(url: string): Promise<number> {
  const other = new URL(url);
  const name = other.pathname.slice(1);
  other.pathname = 'postgres';
  const client = new pg.Client({ connectionString: other.href });
  await client.connect();
  // Backends hand in their counts when they are idle for a second.
  await sleep(1_500);
  const { rows } = await client.query(
    'select xact_commit + xact_rollback as total from pg_stat_database where datname = $1',
    [name],
  );
  await client.end();
  return Number(rows[0].total);
}
