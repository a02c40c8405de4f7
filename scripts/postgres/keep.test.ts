import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { query } from '../../tests/support/postgres.ts';
import { until } from '../../tests/support/until.ts';
import { keepPostgres } from './keep.mjs';

const GRACE_MS = 1_500;
let folder: string;
/** Most tests use one cluster after another, as one clone does from day to day; creating one takes longest. */
let dataDir: string;
const logged: string[] = [];

beforeAll(async () => {
  // PostgreSQL's account must get there: temporary folders that Node makes are closed to others.
  folder = await fs.mkdtemp(join(tmpdir(), 'embedded-postgres-test-'));
  await fs.chmod(folder, 0o755);
  dataDir = join(folder, 'postgres');
});

afterAll(() => fs.rm(folder, { recursive: true, force: true }));

/** What a test started; released after it, also when it fails. */
const held: { release(): Promise<void> }[] = [];

async function keep(options: { folder?: string; graceMs?: number; database?: string } = {}) {
  const postgres = await keepPostgres({
    folder: dataDir,
    database: 'app',
    graceMs: GRACE_MS,
    durable: false,
    log: (message) => logged.push(message),
    ...options,
  });
  held.push(postgres);
  return postgres;
}

async function start(options: Parameters<typeof keep>[0] = {}) {
  const postgres = await keep(options);
  await postgres.ready;
  return { ...postgres, port: Number(new URL(postgres.url).port) };
}

afterEach(() => Promise.all(held.splice(0).map((postgres) => postgres.release())));

/** Another process that needs PostgreSQL, as a launcher does. */
async function startOwner(graceMs = GRACE_MS) {
  const module = JSON.stringify(new URL('./keep.mjs', import.meta.url).href);
  const options = `{ folder: ${JSON.stringify(dataDir)}, database: 'app', graceMs: ${graceMs}, durable: false, log() {} }`;
  const script = `import(${module}).then((m) => m.keepPostgres(${options}))
    .then((p) => p.ready.then(() => console.log(JSON.stringify(p)))); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  held.push({ release: async () => void child.kill('SIGKILL') });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { url } = JSON.parse(line.toString()) as { url: string };
  return {
    url,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const postmasterPid = async (cluster = join(dataDir, 'cluster')) =>
  Number.parseInt(await fs.readFile(join(cluster, 'postmaster.pid'), 'utf8'), 10);

/** A process that has ended stays in the table until its parent asks; one without a parent waits for the system's first process. */
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
};

const ask = async (url: string, sql: string) => Object.values((await query(url, sql)).rows[0])[0];

test('creates a cluster, keeps its data, and is gone when its only user releases it', async () => {
  const first = await start();
  expect(await ask(first.url, `SELECT lower('ÄÖÜ') || current_database()`)).toBe('äöüapp');
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const pid = await postmasterPid();
  await first.release();
  expect(isAlive(pid)).toBe(false);

  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await postmasterPid()).not.toBe(pid);
  expect(await ask(second.url, 'SELECT answer FROM kept')).toBe(42);
  await second.release();
});

test('listens on loopback only, asks for its password, and keeps that to itself', async () => {
  const postgres = await start();
  expect(await ask(postgres.url, 'SHOW listen_addresses')).toBe('127.0.0.1');
  const guessed = new URL(postgres.url);
  guessed.password = 'postgres';
  await expect(query(guessed.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  if (process.platform !== 'win32') {
    for (const file of ['settings.json', 'postgres.log']) {
      expect((await fs.stat(join(dataDir, file))).mode & 0o077, file).toBe(0);
    }
  }
});

test('survives a killed owner and is used by the next', async () => {
  // Long enough for the next to come in time on a busy machine.
  const graceMs = 8_000;
  const owner = await startOwner(graceMs);
  await query(owner.url, 'CREATE TABLE survived ()');
  const pid = await postmasterPid();
  await owner.kill();

  const next = await start({ graceMs });
  expect(await postmasterPid()).toBe(pid);
  expect(await ask(next.url, `SELECT to_regclass('survived') IS NOT NULL`)).toBe(true);
  await delay(graceMs + 300);
  expect(isAlive(pid)).toBe(true);
});

test('stops by itself when no start follows a killed owner', async () => {
  const owner = await startOwner();
  const pid = await postmasterPid();
  const began = performance.now();
  await owner.kill();
  await until('PostgreSQL to stop', () => !isAlive(pid));
  expect(performance.now() - began).toBeGreaterThan(GRACE_MS - 100);
});

test('starts at the same time share one server, and it stays until the last release', async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => start()));
  expect(new Set(all.map(({ url }) => url)).size).toBe(1);
  const pid = await postmasterPid();
  const [last, ...others] = all;
  await Promise.all(others.map((postgres) => postgres.release()));
  expect(isAlive(pid)).toBe(true);
  expect(await ask(last?.url as string, 'SELECT 1')).toBe(1);
  await last?.release();
  expect(isAlive(pid)).toBe(false);
});

test('a start that meets a stop waits for it and then starts', async () => {
  for (let round = 0; round < 5; round += 1) {
    const first = await start();
    const [, second] = await Promise.all([first.release(), start()]);
    expect(await ask(second.url, 'SELECT 1')).toBe(1);
    await second.release();
  }
});

test('the first of two users may leave: the other keeps PostgreSQL, without a break', async () => {
  const first = await start();
  const pid = await postmasterPid();
  const second = await start();
  const client = new pg.Client(second.url);
  await client.connect();
  await first.release();
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
  // What is killed now is started again by the second user's keeper.
  process.kill(pid, 'SIGKILL');
  await until('PostgreSQL to be back', () => answers(second.url));
  const next = await postmasterPid();
  await second.release();
  expect(isAlive(next)).toBe(false);
});

test('users that leave at the same time leave nothing behind', async () => {
  for (let round = 0; round < 5; round += 1) {
    const [one, two] = await Promise.all([start(), start()]);
    const pid = await postmasterPid();
    await Promise.all([one.release(), two.release()]);
    await until('PostgreSQL to end', () => !isAlive(pid));
  }
});

test('the next start uses a PostgreSQL whose keeper and owner were killed', async () => {
  const owner = await startOwner();
  // Tests run with it off, and PostgreSQL may then lose what was committed in the last moment.
  await query(owner.url, 'SET synchronous_commit = on; CREATE TABLE committed AS SELECT 7 AS n');
  const keeper = await keeperPid();
  const pid = await postmasterPid();
  // The owner first: it would start another keeper.
  await owner.kill();
  process.kill(keeper, 'SIGKILL');
  const next = await start();
  expect(await postmasterPid()).toBe(pid);
  expect(await ask(next.url, 'SELECT n FROM committed')).toBe(7);

  process.kill(pid, 'SIGKILL');
  await until('PostgreSQL to be back', () => answers(next.url));
  expect(await ask(next.url, 'SELECT n FROM committed')).toBe(7);
  expect(logged.join('\n')).toContain('ended by itself');
});

test('a killed keeper is replaced while its owner lives, and PostgreSQL runs on', async () => {
  const postgres = await start();
  const pid = await postmasterPid();
  const killed = await keeperPid();
  process.kill(killed, 'SIGKILL');
  await until('another keeper', async () => (await keeperPid()) !== killed);
  expect(await ask(postgres.url, 'SELECT 1')).toBe(1);
  expect(await postmasterPid()).toBe(pid);
  await postgres.release();
  expect(isAlive(pid)).toBe(false);
});

test('a keeper that receives SIGTERM stops PostgreSQL, and is replaced while its owner lives', async () => {
  const postgres = await start();
  const pid = await postmasterPid();
  process.kill(await keeperPid(), 'SIGTERM');
  await until('PostgreSQL to end', () => !isAlive(pid));
  await until('another in its place', () => answers(postgres.url));
  const next = await postmasterPid();
  await postgres.release();
  expect(isAlive(next)).toBe(false);
});

test('a lock file whose process id belongs to another program by now does not stop it', async () => {
  const file = join(dataDir, 'cluster', 'postmaster.pid');
  await fs.writeFile(file, `${process.pid}\n${dataDir}/cluster\n1\n1\n\n127.0.0.1\n1 1\nready\n`);
  const postgres = await start();
  expect(await ask(postgres.url, 'SELECT 1')).toBe(1);
});

test('moves to another port when its own is taken, and says so', async () => {
  const { port } = JSON.parse(await fs.readFile(join(dataDir, 'settings.json'), 'utf8')) as { port: number };
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  const postgres = await start();
  expect(postgres.port).not.toBe(port);
  expect(logged.join('\n')).toContain(`Port ${port} is taken`);
  other.close();
});

test('tells its password to no other program that has its port, whatever a lock file says', async () => {
  const { port } = JSON.parse(await fs.readFile(join(dataDir, 'settings.json'), 'utf8')) as { port: number };
  const heard: string[] = [];
  const other = createServer((socket) => {
    socket.on('error', () => {});
    // AuthenticationCleartextPassword (https://www.postgresql.org/docs/current/protocol-message-formats.html).
    socket.on('data', (data) => heard.push(data.toString()) && socket.write('R\0\0\0\x08\0\0\0\x03'));
  });
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  const cluster = join(dataDir, 'cluster');
  await fs.writeFile(
    join(cluster, 'postmaster.pid'),
    `${process.pid}\n${cluster}\n1\n${port}\n\n127.0.0.1\n1 1\nready\n`,
  );
  const postgres = await start();
  other.close();
  expect(postgres.port).not.toBe(port);
  expect(heard).toEqual([]);
});

test.each([0, 10, 60, 110, 160])('released %i ms into a start, it leaves nothing behind', async (afterMs) => {
  const starting = await keep();
  await delay(afterMs);
  await starting.release();
  expect(existsSync(join(dataDir, 'keeper.pid'))).toBe(false);
  expect(existsSync(join(dataDir, 'cluster', 'postmaster.pid'))).toBe(false);
});

test('tells its address before PostgreSQL runs', async () => {
  const postgres = await keep();
  await expect(query(postgres.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  await postgres.ready;
  expect(await ask(postgres.url, 'SELECT 1')).toBe(1);
});

test('refuses the data of another major version, with the commands that move it', async () => {
  const version = join(dataDir, 'cluster', 'PG_VERSION');
  const ours = await fs.readFile(version, 'utf8');
  await fs.writeFile(version, '13\n');
  const refusal = await start().catch((error: Error) => error.message);
  expect(refusal).toMatch(/PostgreSQL 13 wrote/);
  expect(refusal).toContain(`pg_ctl -D "${join(dataDir, 'cluster')}"`);
  expect(refusal).toContain('pg_dumpall');
  expect(refusal).toContain('fs.rmSync');
  await fs.writeFile(version, ours);
  const postgres = await start();
  expect(await ask(postgres.url, 'SELECT answer FROM kept')).toBe(42);
});

test.runIf(process.getuid?.() === 0)('as root it takes over a folder that was copied as root', async () => {
  const first = await start();
  await first.release();
  const copy = join(folder, 'copy');
  await fs.cp(dataDir, copy, { recursive: true });
  await fs.chmod(join(copy, 'cluster'), 0o755);
  for (const path of ['cluster', 'cluster/PG_VERSION', 'cluster/base/1/PG_VERSION']) {
    await fs.chown(join(copy, path), 0, 0);
  }
  const [postgres, original] = await Promise.all([start({ folder: copy }), start()]);
  expect(postgres.port).not.toBe(original.port);
  expect(await ask(postgres.url, 'SELECT answer FROM kept')).toBe(42);
});

test.runIf(process.getuid?.() === 0)(
  'as root it runs under another account, also where that account cannot reach the clone',
  async () => {
    const closed = join(folder, 'home');
    await fs.mkdir(closed, { mode: 0o700 });
    const postgres = await start({ folder: join(closed, 'clone', 'postgres') });
    const cluster = (await ask(postgres.url, 'SHOW data_directory')) as string;
    expect(cluster).toMatch(/^\/(var\/)?tmp\/embedded-postgres-/);
    expect(logged.join('\n')).toContain(`cannot reach ${closed}`);
    expect((await fs.stat(`/proc/${await postmasterPid(cluster)}`)).uid).not.toBe(0);
    await postgres.release();
    await fs.rm(join(cluster, '..'), { recursive: true });
  },
);

async function keeperPid(): Promise<number> {
  return Number(await fs.readFile(join(dataDir, 'keeper.pid'), 'utf8'));
}

async function answers(url: string): Promise<boolean> {
  return query(url, 'SELECT 1').then(
    () => true,
    () => false,
  );
}
