import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '#contracts/status.ts';
import { answers, answersOf, portIn, toldToStrangers } from './support/answers.ts';
import { type CopiedBuild, copyBuild } from './support/build.ts';
import { createDatabase, query } from './support/postgres.ts';
import { openRaw, openSeen } from './support/raw-http.ts';
import { freePort, ROOT, startServer } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';
import { until } from './support/until.ts';

const MAIN = join(ROOT, 'dist', 'server', 'main.js');
const SLOW = `create table slow_thing (id int); --> statement-breakpoint\nselect pg_sleep(30);`;
/** pg_advisory_lock's key of the migrator. */
const LOCK_KEY = '7380389782208408681';
const RUNNING_SLEEP = `select 1 from pg_stat_activity where query like '%select pg_sleep(30)%' and state = 'active'
  and pid <> pg_backend_pid() and datname = current_database()`;

let slow: CopiedBuild;
beforeAll(async () => {
  slow = await copyBuild({ '9000_slow': SLOW });
});
afterAll(() => slow[Symbol.asyncDispose]());

const statusOf = async (url: string) => (await (await fetch(`${url}/api/status`)).json()) as Status;
const reaches = (url: string, state: Status['state']) =>
  until(`the state ${state}`, async () => (await statusOf(url)).state === state);
/** How many migrations are recorded; a project without any has no table for them yet. */
async function journal(url: string): Promise<number> {
  const { rows } = await query(
    url,
    `select to_regclass('drizzle.__drizzle_migrations') is not null as exists`,
  );
  if (!rows[0].exists) return 0;
  return (await query(url, 'select count(*)::int as n from drizzle.__drizzle_migrations')).rows[0].n;
}

async function migratingSlowly() {
  const database = await createDatabase();
  const recorded = await journal(database.url);
  const server = await startServer({ DATABASE_URL: database.url }, { main: slow.main });
  await server.open();
  await until('the slow statement', async () => (await query(database.url, RUNNING_SLEEP)).rowCount);
  return { database, recorded, server };
}

describe.concurrent('the state', () => {
  it('starting: the page and the probes answer while the database refuses, and say nothing of where it is', async () => {
    const port = await freePort();
    await using server = await startServer({
      DATABASE_URL: `postgres://appuser:hunter2@127.0.0.1:${port}/secretdb`,
    });
    await server.open();
    await until('a problem', async () => (await statusOf(server.url)).problem);
    expect(await answersOf(server.url)).toEqual(answers(503, 503));
    const status = await statusOf(server.url);
    expect(status).toMatchObject({
      state: 'starting',
      problem: 'The database cannot be reached. Trying again.',
      startup: [
        { step: 'port', status: 'done' },
        { step: 'configuration', status: 'done' },
        { step: 'application', status: 'done' },
        { step: 'database', status: 'running' },
        { step: 'migrations', status: 'pending', startedAtMs: null },
      ],
    });
    const told = await toldToStrangers(server.url);
    expect(told).not.toMatch(/127\.0\.0\.1|appuser|hunter2|secretdb|ECONN/);
    expect(told).not.toMatch(portIn(port));
    // The operator is told all but the password.
    await until('the reason in the log', async () => server.output().includes('ECONNREFUSED'));
    expect(server.output()).not.toContain('hunter2');
    expect(await server.end()).toBe(0);
  });

  it('starting: the same while the database swallows what it is sent', async () => {
    const proxy = await TcpProxy.start({ host: '127.0.0.1', port: 1 });
    proxy.swallow();
    await using server = await startServer({
      DATABASE_URL: `postgres://u:p@127.0.0.1:${proxy.port}/d`,
      DB_CONNECT_TIMEOUT_MS: '60000',
    });
    await server.open();
    expect(await answersOf(server.url)).toEqual(answers(503, 503));
    expect((await statusOf(server.url)).state).toBe('starting');
    // Waiting for the database would take the minute of DB_CONNECT_TIMEOUT_MS, and end with 1.
    expect(await server.end('SIGINT')).toBe(0);
    await proxy.stop();
  });

  it('migrating: a process waits for another that migrates, says so, and goes on when that has ended', async () => {
    const database = await createDatabase();
    await using build = await copyBuild({ '9000_quick': 'create table quick_thing (id int)' });
    const holder = new pg.Client({ connectionString: database.url, application_name: 'other-release' });
    await holder.connect();
    await holder.query(`select pg_advisory_lock(${LOCK_KEY})`);
    await using server = await startServer({ DATABASE_URL: database.url }, { main: build.main });
    await server.open();
    await reaches(server.url, 'migrating');
    await until('a problem', async () => (await statusOf(server.url)).problem);
    expect(await answersOf(server.url)).toEqual(answers(503, 503));
    expect(await toldToStrangers(server.url)).not.toMatch(/backend|other-release|127\.0\.0\.1/);
    await until('the true reason in the log', async () => server.output().includes('other-release'));
    await holder.end();
    await server.ready();
    expect((await statusOf(server.url)).problem).toBeUndefined();
  });

  it('ready: everything answers, and the start is told step by step', async () => {
    const database = await createDatabase('empty');
    await using build = await copyBuild({ '9000_quick': 'create table quick_thing (id int)' });
    await using server = await startServer({ DATABASE_URL: database.url }, { main: build.main });
    await server.ready();
    expect(await answersOf(server.url)).toEqual(answers(200, 200));
    const { startup, ...rest } = await statusOf(server.url);
    expect(rest).toEqual({ name: expect.any(String), version: expect.any(String), state: 'ready' });
    expect(startup.map(({ step }) => step)).toEqual([
      'port',
      'configuration',
      'application',
      'database',
      'migrations',
    ]);
    for (const { status, startedAtMs, durationMs } of startup) {
      expect(status).toBe('done');
      expect(startedAtMs).toBeGreaterThan(0);
      expect(durationMs).toBeGreaterThan(0);
    }
    expect(startup.at(-1)?.note).toMatch(/^[1-9]\d* applied$/);
    // The log is written within 100 ms.
    await until('the log of it', async () => server.log().some(({ to }) => to === 'ready'));
    const said = server.log().filter(({ from }) => from);
    expect(said.map(({ from, to }) => `${from} ${to}`)).toEqual(['starting migrating', 'migrating ready']);
    for (const { lastedMs } of said) expect(lastedMs).toEqual(expect.any(Number));
  });

  it('draining: /ready is 503 at once, everything else answers and closes its connection', async () => {
    const database = await createDatabase();
    await using server = await startServer({
      DATABASE_URL: database.url,
      DRAIN_DELAY_MS: '15000',
      SHUTDOWN_TIMEOUT_MS: '30000',
    });
    await server.ready();
    server.child.kill('SIGTERM');
    await until('/ready to turn', async () => (await fetch(`${server.url}/ready`)).status === 503);
    expect(await answersOf(server.url)).toEqual(answers(200, 503));
    for (const path of ['/', '/api/status', '/ready', '/api/nothing']) {
      expect((await fetch(server.url + path)).headers.get('connection')).toBe('close');
    }
    expect(await server.ended()).toBe(0);
    expect(server.log().map(({ msg }) => msg)).toContain('draining → stopped');
  });
});

describe.concurrent('a process ends', () => {
  it('with 78 and every mistake in its configuration at once', async () => {
    await using server = await startServer({ PORT: '0', LOG_LEVEL: 'loud', DB_POOL_SIZE: 'many' });
    expect(await server.ended()).toBe(78);
    for (const name of ['LOG_LEVEL', 'DB_POOL_SIZE', 'DATABASE_URL']) expect(server.output()).toContain(name);
    expect(server.output()).not.toMatch(/\n\s+at /);
  });

  it('with 78 and the commands there are for one there is not', async () => {
    const database = await createDatabase('empty');
    for (const [env, said] of [
      [{ DATABASE_URL: database.url }, "There is no command 'sevre'. There are:\n  serve"],
      [{}, "'sevre' is none of: serve"],
    ] as const) {
      await using server = await startServer(env, { args: ['sevre'] });
      expect(await server.ended()).toBe(78);
      expect(server.output()).toContain(said);
    }
    await database.drop();
  });

  it('with 70 for a migration whose SQL is wrong, naming file and line, having kept nothing of it', async () => {
    const database = await createDatabase();
    const before = await journal(database.url);
    await using build = await copyBuild({
      '9000_wrong': 'create table half (id int);\n--> statement-breakpoint\nselect nonsense;',
    });
    await using server = await startServer({ DATABASE_URL: database.url }, { main: build.main });
    expect(await server.ended()).toBe(70);
    expect(server.output()).toContain('9000_wrong.sql failed at line 3');
    expect(await journal(database.url)).toBe(before);
    expect((await query(database.url, `select to_regclass('half') as half`)).rows).toEqual([{ half: null }]);
  });

  it('with 70 for a migration that was edited after it had been applied', async () => {
    const database = await createDatabase();
    await using build = await copyBuild({ '9000_thing': 'create table thing (id int)' });
    await using first = await startServer({ DATABASE_URL: database.url }, { main: build.main });
    await first.ready();
    await first.end();
    await writeFile(join(build.folder, 'drizzle', '9000_thing.sql'), 'create table thing (id bigint)');
    await using second = await startServer({ DATABASE_URL: database.url }, { main: build.main });
    expect(await second.ended()).toBe(70);
    expect(second.output()).toContain('9000_thing.sql was changed after it had been applied');
  });

  it('with 1 and a sentence where its port is in use', async () => {
    const { port, server: blocker } = await blockPort();
    await using server = await startServer({
      PORT: String(port),
      DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d',
    });
    expect(await server.ended()).toBe(1);
    expect(server.output()).toContain(`Port ${port} is in use`);
    expect(server.output()).toContain('set PORT to another one');
    expect(server.output().trim().split('\n')).toHaveLength(1);
    blocker.close();
  });

  it('with 1 for a signal to `migrate` that has not done its work', async () => {
    await using migrating = await startServer(
      { DATABASE_URL: 'postgres://nobody:none@127.0.0.1:1/none' },
      { args: ['migrate'] },
    );
    await expect.poll(() => migrating.output()).toContain('Migrations are waiting');
    expect(await migrating.end('SIGTERM')).toBe(1);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('with 0 for %s when ready', async (signal) => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    // Neither a connection between two requests, nor one that a browser opened in advance, keeps it.
    await using idle = await openRaw(server.url);
    idle.socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.answer();
    await using unused = await openRaw(server.url);
    expect(await server.end(signal)).toBe(0);
    expect(server.log()).toContainEqual(
      expect.objectContaining({ level: 'info', signal, msg: `received ${signal}, draining` }),
    );
    await Promise.all([idle.closed, unused.closed]);
    const open = `select count(*)::int as n from pg_stat_activity where datname = current_database()
      and backend_type = 'client backend' and pid <> pg_backend_pid()`;
    expect((await query(database.url, open)).rows).toEqual([{ n: 0 }]);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'with 0 for %s while migrating: cancelled, rolled back, not recorded',
    async (signal) => {
      const { database, recorded, server } = await migratingSlowly();
      expect(await server.end(signal)).toBe(0);
      expect((await query(database.url, RUNNING_SLEEP)).rowCount).toBe(0);
      expect((await query(database.url, `select to_regclass('slow_thing') as it`)).rows).toEqual([
        { it: null },
      ]);
      expect(await journal(database.url)).toBe(recorded);
      await server[Symbol.asyncDispose]();
    },
  );

  it('with 0 after a request that was on its way in got its answer, with Connection: close', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    await using connection = await openSeen(server.url, 'GET /api/status HTTP/1.1\r\n');
    server.child.kill('SIGTERM');
    await until('the port to close', () =>
      fetch(`${server.url}/live`).then(
        () => false,
        () => true,
      ),
    );
    connection.socket.write('Host: x\r\n\r\n');
    const answer = await connection.answer();
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(JSON.parse(answer.body).state).toBe('draining');
    expect(await server.ended()).toBe(0);
  });

  it('with 1 for a second signal, at once', async () => {
    const database = await createDatabase();
    await using server = await startServer({
      DATABASE_URL: database.url,
      DRAIN_DELAY_MS: '60000',
      SHUTDOWN_TIMEOUT_MS: '90000',
    });
    await server.ready();
    server.child.kill('SIGTERM');
    await until('the first signal', async () => (await statusOf(server.url)).state === 'draining');
    // Without it, it would be 0 after the delay.
    expect(await server.end('SIGINT')).toBe(1);
    expect(server.log().map(({ msg }) => msg)).toContain('received SIGINT again, exiting now');
  });

  it('with 1 when SHUTDOWN_TIMEOUT_MS has passed, and says so', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url, SHUTDOWN_TIMEOUT_MS: '700' });
    await server.ready();
    await using _stuck = await openSeen(server.url, 'GET /live HTTP/1.1\r\n');
    const began = Date.now();
    expect(await server.end()).toBe(1);
    expect(Date.now() - began).toBeGreaterThan(650);
    expect(server.output()).toContain('shutdown timed out (SHUTDOWN_TIMEOUT_MS=700), exiting with ');
  });

  it.each([
    ['uncaught exception', `throw new Error('nobody caught this')`],
    ['unhandled rejection', `Promise.reject(new Error('nobody caught this'))`],
  ])('with 1 for an %s, which is in the log, after the requests in flight', async (what, code) => {
    await using crashing = await preload(code);
    await using server = await startServer({ DATABASE_URL: crashing.database.url, ...crashing.env });
    await server.ready();
    await using inFlight = await openSeen(server.url, 'GET /api/status HTTP/1.1\r\n');
    server.child.kill('SIGWINCH');
    await until('the error in the log', async () => server.output().includes('nobody caught this'));
    inFlight.socket.write('Host: x\r\n\r\n');
    const answer = await inFlight.answer();
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(await server.ended()).toBe(1);
    expect(server.log().map(({ msg }) => msg)).toContain('draining → stopped');
    expect(server.log().find(({ level }) => level === 'fatal')).toMatchObject({
      msg: what,
      err: { message: 'nobody caught this', stack: expect.stringContaining('preload.cjs') },
    });
  });

  it('with 1 soon after an uncaught error, whatever is still under way, and says what that was', async () => {
    await using crashing = await preload(`throw new Error('nobody caught this')`);
    await using server = await startServer({ DATABASE_URL: crashing.database.url, ...crashing.env });
    await server.ready();
    await using _endless = await openSeen(
      server.url,
      'POST /api/nothing?secret=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
    );
    expect(await server.end('SIGWINCH')).toBe(1);
    const last = server.log().findLast(({ level }) => level === 'error');
    expect(last?.msg).toMatch(/1 connections, 1 requests .*: POST \/api\/nothing for \d+ ms$/);
    expect(last?.requests).toEqual([
      { method: 'POST', path: '/api/nothing', ageMs: expect.any(Number), begun: false },
    ]);
  });

  it('from exhausted memory only after it has been said, with the figures, and with a report', async () => {
    // Slow enough to be told of between the collection that sees it and the end, on a busy machine too.
    const leak = 'globalThis.kept = []; setInterval(() => kept.push(new Array(50_000).fill({})), 20)';
    await using leaking = await preload(leak);
    await using server = await startServer({
      DATABASE_URL: leaking.database.url,
      NODE_OPTIONS: `${leaking.env.NODE_OPTIONS} --max-old-space-size=80 --report-directory=${leaking.folder}`,
    });
    await server.ready();
    expect(await server.end('SIGWINCH')).not.toBe(0);
    expect(server.log().find(({ msg }) => String(msg).includes('the heap is nearly full'))).toMatchObject({
      level: 'warn',
      usedMiB: expect.any(Number),
      limitMiB: expect.any(Number),
      spacesMiB: { old_space: expect.any(Number) },
    });
    const [file = ''] = (await readdir(leaking.folder)).filter((name) => name.endsWith('.json'));
    const report = JSON.parse(await readFile(join(leaking.folder, file), 'utf8'));
    expect(report.javascriptHeap.usedMemory).toBeGreaterThan(0);
    expect(report.environmentVariables).toBeUndefined();
  });
});

describe.concurrent('a running process', () => {
  it('collects garbage on SIGUSR2, and writes a report that holds the heap before and after', async () => {
    const littering =
      'globalThis.kept = Array.from({ length: 500_000 }, () => ({})); process.on("SIGUSR2", () => { kept = 0 }); console.log("littered")';
    await using littered = await preload(littering);
    await using server = await startServer({
      DATABASE_URL: littered.database.url,
      NODE_OPTIONS: littered.env.NODE_OPTIONS,
      DIAGNOSTICS_DIR: join(littered.folder, 'made-for-reports'),
    });
    await server.ready();
    server.child.kill('SIGWINCH');
    await until('the litter', () => server.output().includes('littered'));
    server.child.kill('SIGUSR2');
    const said = await until('the report', async () => server.log().find(({ file }) => file));
    const report = JSON.parse(await readFile(said.file as string, 'utf8'));
    const [before, after] = [report.heapBeforeCollection, report.heapAfterCollection];
    expect(before.usedMiB - after.usedMiB).toBeGreaterThan(5);
    expect(said).toMatchObject({ before, after });
    expect(String(said.file)).toContain('made-for-reports/report-');
    expect(report.libuv.length).toBeGreaterThan(0);
    expect(report.environmentVariables).toBeUndefined();
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    expect(await server.end()).toBe(0);
  });

  it('says at its start where no report can be written, and goes on when one is asked for', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url, DIAGNOSTICS_DIR: '/proc/nowhere' });
    await server.ready();
    await until('it to be said', async () =>
      server.output().includes('/proc/nowhere cannot be written (ENOENT). Set DIAGNOSTICS_DIR'),
    );
    server.child.kill('SIGUSR2');
    await until('it to be said', async () =>
      server.output().includes('no report could be written to /proc/'),
    );
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    expect(await server.end()).toBe(0);
  });
});

describe.concurrent('a process whose parent', () => {
  it('is gone ends with 0', async () => {
    const database = await createDatabase();
    const port = await freePort();
    const child = fork(MAIN, {
      env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), DATABASE_URL: database.url },
      execArgv: [],
      silent: true,
    });
    const ended = once(child, 'exit');
    await until('/ready', () =>
      fetch(`http://127.0.0.1:${port}/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    child.disconnect();
    expect(await ended).toEqual([0, null]);
  });
});

/** A database, and a folder with a file that has a server do something when it is sent SIGWINCH. */
async function preload(code: string) {
  const database = await createDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'preload-'));
  const file = join(folder, 'preload.cjs');
  await writeFile(file, `process.on('SIGWINCH', () => { setImmediate(() => { ${code} }); });`);
  return {
    database,
    folder,
    env: { NODE_OPTIONS: `--require ${file}` },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

async function blockPort() {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}
