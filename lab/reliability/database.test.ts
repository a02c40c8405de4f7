/** The database stops, falls silent, cuts its connections, is slow to lock: what callers see of it. */
import { spawn } from 'node:child_process';
import { Agent } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { copyBuild } from '../../tests/support/build.ts';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { startServer } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { until } from '../../tests/support/until.ts';
import { addUser } from '../../tests/support/user.ts';
import { quantile } from '../bench/open-loop.ts';
import { failed, Ledger, Load, type Outcome, SUBJECT, send, summary } from './support/load.ts';
import { startOwnPostgres, startPooler } from './support/machines.ts';
import { fullOrShort, has, ms, record, within } from './support/suite.ts';

const KILL_BACKENDS =
  'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';
/** A process learns that a connection has ended when it is its turn; what it has sent over it by then is lost with it. */
const NOTICED_MS = 50;

/** Asks one path over and over. */
function watch(url: string, everyMs: number) {
  const agent = new Agent({ keepAlive: true });
  const outcomes: Outcome[] = [];
  let going = true;
  const run = (async () => {
    while (going) {
      outcomes.push(await send(agent, url));
      await sleep(everyMs);
    }
    agent.destroy();
  })();
  return {
    async stop() {
      going = false;
      await run;
      return outcomes;
    },
  };
}

describe('the database', () => {
  it('is stopped and comes back: nothing restarts, errors are quick and say what they are', async () => {
    await using postgres = await startOwnPostgres();
    await using server = await startServer({ DATABASE_URL: postgres.url, DB_CONNECT_TIMEOUT_MS: '2000' });
    await server.ready();
    await addUser(postgres.url);
    const ledger = new Ledger();
    const load = Load.start(server.url, ledger, 100);
    const live = watch(`${server.url}/live`, 50);
    await sleep(2_000);
    const stopping = performance.now();
    await postgres.stop();
    await sleep(fullOrShort(60_000, 10_000));
    const starting = performance.now();
    await postgres.start();
    const back = performance.now();
    const calmSince = () => {
      const last = failed(load.outcomes).at(-1);
      return Math.max(back, last ? last.at + last.ms : 0);
    };
    await until(
      'five seconds without an error',
      () => performance.now() - calmSince() > 5_000,
      within(15_000),
      100,
    );
    const outcomes = await load.stop();
    const probes = await live.stop();
    const errors = failed(outcomes);
    const alive = probes.filter(({ status }) => status === 200).length;
    const slowest = Math.max(...errors.map((error) => error.ms));
    const recovered = Math.max(...errors.map((error) => error.at + error.ms)) - back;
    record(
      'stopped',
      `away for ${((back - stopping) / 1_000).toFixed(0)} s: ${errors.length.toLocaleString('en')} errors, the slowest after ${ms(slowest)}; \`/live\` ${alive} of ${probes.length}; the last error ${recovered < 0 ? 'before' : `${ms(recovered)} after`} its return`,
    );
    expect(server.child.exitCode).toBeNull();
    expect(alive).toBe(probes.length);
    expect(summary(errors.filter((error) => error.status !== 503 || !error.problem))).toBe('none');
    expect(errors.every(({ headers }) => Number(headers['retry-after']) > 0)).toBe(true);
    expect(errors.filter(({ at }) => at > stopping && at < starting).length).toBeGreaterThan(500);
    expect(errors.filter((error) => error.at + error.ms < stopping)).toEqual([]);
    expect(slowest).toBeLessThan(within(2_500));
    expect(recovered).toBeLessThan(within(5_000));
    await ledger.settle(postgres.url);
  });

  it('swallows what it is sent while a thousand clients wait: the probes answer as ever', async () => {
    const database = await createDatabase();
    const target = new URL(database.url);
    const proxy = await TcpProxy.start({ host: target.hostname, port: Number(target.port) });
    target.port = String(proxy.port);
    await using server = await startServer({ DATABASE_URL: target.href });
    await server.ready();
    proxy.swallow();
    const program = join(import.meta.dirname, 'support', 'clients.ts');
    const clients = spawn(process.execPath, [program, server.url + SUBJECT.path, '1000'], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const answers = text(clients.stdout as Readable);
    await sleep(500);
    const watches = [watch(`${server.url}/live`, 10), watch(`${server.url}/ready`, 10)];
    await sleep(fullOrShort(30_000, 15_000));
    const [live = [], ready = []] = await Promise.all(watches.map((one) => one.stop()));
    clients.disconnect();
    const told = JSON.parse(await answers) as Record<string, number>;
    const p99 = [live, ready].map((outcomes) =>
      quantile(
        outcomes.map((outcome) => outcome.ms),
        0.99,
      ),
    );
    record(
      'swallowing',
      `p99 ${ms(p99[0] ?? Number.NaN)} and ${ms(p99[1] ?? Number.NaN)} of ${live.length} and ${ready.length}; the clients had ${Object.entries(
        told,
      )
        .map(([status, count]) => `${count.toLocaleString('en')} × ${status}`)
        .join(', ')}`,
    );
    expect(failed(live)).toEqual([]);
    expect(ready.at(-1)?.status).toBe(503);
    expect(Object.keys(told)).toEqual(['503']);
    for (const figure of p99) expect(figure).toBeLessThan(within(50));
    await proxy.stop();
  });

  it('has all its backends killed again and again: only requests in flight notice', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    const ledger = new Ledger();
    const load = Load.start(server.url, ledger, 200);
    await sleep(500);
    const kills: [from: number, to: number][] = [];
    const times = fullOrShort(20, 5);
    while (kills.length < times) {
      const from = performance.now();
      await query(database.url, KILL_BACKENDS);
      kills.push([from, performance.now()]);
      await sleep(700);
    }
    const outcomes = await load.stop();
    const errors = failed(outcomes);
    const inFlight = ({ at, ms: took }: Outcome) =>
      kills.some(([from, to]) => at <= to + within(NOTICED_MS) && at + took >= from);
    const others = errors.filter((error) => !inFlight(error));
    record(
      'backends',
      `killed ${kills.length} times: ${errors.length} of ${outcomes.length.toLocaleString('en')} failed, ${others.length} of them neither in flight nor sent within ${NOTICED_MS} ms`,
    );
    expect(summary(others)).toBe('none');
    expect(summary(errors.filter((error) => error.status !== 503 || !error.problem))).toBe('none');
    expect(server.child.exitCode).toBeNull();
    await ledger.settle(database.url);
  });
});

it('a frozen process that lost its database connections serves everybody as soon as it is thawed', async () => {
  const database = await createDatabase();
  await using server = await startServer({ DATABASE_URL: database.url });
  await server.ready();
  const start = server.log().length;
  const ask = (path: string = SUBJECT.list) => send(new Agent(), server.url + path);
  const ledger = new Ledger();
  // At work until the moment when it freezes, so that every watch is running.
  const before = Load.start(server.url, ledger, 0, 20);
  await sleep(500);
  expect(summary(failed(await before.stop()))).toBe('none');
  server.child.kill('SIGSTOP');
  await query(database.url, KILL_BACKENDS);
  const frozenMs = fullOrShort(60_000, 10_000);
  await sleep(frozenMs);
  // Visitors connect while it is still frozen: their connections wait in the kernel.
  const early = Array.from({ length: 20 }, () => ask());
  await sleep(200);
  const thawed = performance.now();
  server.child.kill('SIGCONT');
  const first = await ask();
  const firstMs = performance.now() - thawed;
  const after = Load.start(server.url, ledger, 100);
  const waiting = await Promise.all(early);
  const probes = await Promise.all(['/ready', '/health', '/'].map(ask));
  await sleep(3_000);
  const outcomes = [first, ...waiting, ...probes, ...(await after.stop())];
  const complaints = server
    .log()
    .slice(start)
    .filter(({ level }) => ['warn', 'error', 'fatal'].includes(String(level)));
  record(
    'frozen',
    `first request ${ms(firstMs)} after ${frozenMs / 1_000} s; ${failed(outcomes).length} of ${outcomes.length} failed, ${complaints.length} warnings in the log`,
  );
  expect(summary(failed(outcomes))).toBe('none');
  expect(complaints).toEqual([]);
  expect(firstMs).toBeLessThan(within(2_500));
  await ledger.settle(database.url);
});

describe('a migration', () => {
  it('whose process is killed is done once, by a successor, soon', async () => {
    const database = await createDatabase();
    // Slow for the first process alone.
    await query(
      database.url,
      'create schema test; create table test.pace (seconds int); insert into test.pace values (60)',
    );
    await using build = await copyBuild({
      '9000_before':
        'create table first_step (n int);\n--> statement-breakpoint\ninsert into first_step values (1);',
      '9001_killed':
        'create table second_step (n int);\n--> statement-breakpoint\ninsert into second_step values (1);\n--> statement-breakpoint\nselect pg_sleep(seconds) from test.pace;',
      '9002_after':
        'create table third_step (n int);\n--> statement-breakpoint\ninsert into third_step values (1);',
    });
    const start = () => startServer({ DATABASE_URL: database.url }, { main: build.main });
    await using doomed = await start();
    await until('the slow statement', async () => {
      const sleeping = `select 1 from pg_stat_activity where state = 'active' and query like '%pg_sleep(seconds)%' and pid <> pg_backend_pid()`;
      return (await query(database.url, sleeping)).rowCount;
    });
    await using waiting = await start();
    await until(
      'another to wait for it',
      () => waiting.output().includes('waiting') || waiting.output().includes('migrat'),
    );
    await sleep(500);
    await query(database.url, 'update test.pace set seconds = 0');
    const killed = performance.now();
    await doomed.end('SIGKILL');
    await using successor = await start();
    await Promise.all([waiting.ready(within(15_000)), successor.ready(within(15_000))]);
    const took = performance.now() - killed;
    const { rows } = await query(
      database.url,
      `select (select count(*)::int from first_step) as first, (select count(*)::int from second_step) as second,
         (select count(*)::int from third_step) as third,
         (select count(*) - count(distinct hash) from drizzle.__drizzle_migrations)::int as twice`,
    );
    record(
      'migration',
      `one that waited and one that was started then: both ready ${ms(took)} after the kill`,
    );
    expect(rows).toEqual([{ first: 1, second: 1, third: 1, twice: 0 }]);
    expect(took).toBeLessThan(within(5_000));
  });

  it('that has to wait for a reader does not make others wait behind it', async () => {
    const database = await createDatabase();
    await using release = await copyBuild({
      '9000_alter': `alter table ${SUBJECT.table} add column colour text`,
    });
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    const ledger = new Ledger();
    const load = Load.start(server.url, ledger, 100);
    const reader = new pg.Client({ connectionString: database.url });
    await reader.connect();
    await reader.query(`begin; select count(*) from ${SUBJECT.table}`);
    await using next = await startServer({ DATABASE_URL: database.url }, { main: release.main });
    await next.open();
    const readMs = fullOrShort(30_000, 10_000);
    await sleep(readMs);
    expect((await fetch(`${next.url}/ready`)).status).toBe(503);
    const ended = performance.now();
    await reader.end();
    await next.ready(within(15_000));
    const readyMs = performance.now() - ended;
    const outcomes = await load.stop();
    const slowest = Math.max(...outcomes.map((outcome) => outcome.ms));
    record(
      'alter',
      `the slowest of ${outcomes.length.toLocaleString('en')} took ${ms(slowest)}, ${failed(outcomes).length} failed; the migration was done ${ms(readyMs)} after the reader of ${readMs / 1_000} s`,
    );
    expect(summary(failed(outcomes))).toBe('none');
    expect(slowest).toBeLessThan(within(1_000));
    await ledger.settle(database.url);
  });
});

it.skipIf(!has('pgbouncer'))(
  'behind PgBouncer in transaction mode it works, and migrates past it or not at all',
  async () => {
    const database = await createDatabase();
    await using pooler = await startPooler(database.url);
    await using build = await copyBuild({ '9000_thing': 'create table thing (id int)' });
    const { main } = build;
    await using refused = await startServer({ DATABASE_URL: pooler.url }, { main });
    expect(await refused.ended()).toBe(70);
    expect(refused.output()).toContain('DATABASE_DIRECT_URL');
    await using server = await startServer(
      { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: database.url },
      { main },
    );
    await server.ready();
    const ledger = new Ledger();
    const load = Load.start(server.url, ledger, 200);
    await sleep(fullOrShort(20_000, 5_000));
    const outcomes = await load.stop();
    const times = outcomes.map((outcome) => outcome.ms);
    record(
      'pooler',
      `${failed(outcomes).length} of ${outcomes.length.toLocaleString('en')} failed, p99 ${ms(quantile(times, 0.99))}; without DATABASE_DIRECT_URL exit 70, which names it`,
    );
    expect(summary(failed(outcomes))).toBe('none');
    expect(server.output()).toContain('behind a transaction pooler');
    await ledger.settle(database.url);
  },
);
