import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { query } from '../../../../tests/support/postgres.ts';
import { until } from '../../../../tests/support/until.ts';
import { startEmbeddedPostgres } from './embedded.ts';

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

async function start(options: { dataDir?: string; graceMs?: number; signal?: AbortSignal } = {}) {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    database: 'app',
    graceMs: GRACE_MS,
    durable: false,
    log: (message) => logged.push(message),
    ...options,
  });
  held.push(postgres);
  return postgres;
}

afterEach(() => Promise.all(held.splice(0).map((postgres) => postgres.release())));

/** Another process that holds the cluster, as an application does. */
async function startOwner(graceMs = GRACE_MS) {
  const module = JSON.stringify(new URL('./embedded.ts', import.meta.url).href);
  const options = `{ dataDir: ${JSON.stringify(dataDir)}, database: 'app', graceMs: ${graceMs}, durable: false, log() {} }`;
  const script = `import(${module}).then((m) => m.startEmbeddedPostgres(${options})).then((p) => console.log(JSON.stringify(p)));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const postgres = JSON.parse(line.toString()) as { url: string; adopted: boolean };
  return {
    ...postgres,
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

test('creates a cluster, keeps its data, and is gone when its only owner lets go', async () => {
  const first = await start();
  expect(first.adopted).toBe(false);
  expect(await ask(first.url, `SELECT lower('ÄÖÜ') || current_database()`)).toBe('äöüapp');
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const pid = await postmasterPid();
  await first.release();
  expect(isAlive(pid)).toBe(false);

  const second = await start();
  expect({ adopted: second.adopted, port: second.port }).toEqual({ adopted: false, port: first.port });
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
    for (const file of ['settings.json', 'guardian.json', 'postgres.log']) {
      expect((await fs.stat(join(dataDir, file))).mode & 0o077, file).toBe(0);
    }
  }
});

test('survives a killed owner and is adopted by the next', async () => {
  // Long enough for the next to come in time on a busy machine.
  const graceMs = 8_000;
  const owner = await startOwner(graceMs);
  await query(owner.url, 'CREATE TABLE survived ()');
  const pid = await postmasterPid();
  await owner.kill();

  const next = await start({ graceMs });
  expect(next.adopted).toBe(true);
  expect(await postmasterPid()).toBe(pid);
  expect(await ask(next.url, `SELECT to_regclass('survived') IS NOT NULL`)).toBe(true);
  await delay(graceMs + 300);
  expect(isAlive(pid)).toBe(true);
});

test('stops by itself when nobody comes after a killed owner', async () => {
  const owner = await startOwner();
  const pid = await postmasterPid();
  const began = performance.now();
  await owner.kill();
  await until('PostgreSQL to stop', () => !isAlive(pid));
  expect(performance.now() - began).toBeGreaterThan(GRACE_MS - 100);
});

test('starters that come at once share one server, and it stays until the last lets go', async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => start()));
  expect(new Set(all.map(({ url }) => url)).size).toBe(1);
  expect(all.filter(({ adopted }) => !adopted)).toHaveLength(1);
  const pid = await postmasterPid();
  const [last, ...others] = all;
  await Promise.all(others.map((postgres) => postgres.release()));
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

test('everything killed at once: the next start recovers the data', async () => {
  const owner = await startOwner();
  await query(owner.url, 'CREATE TABLE committed AS SELECT 7 AS n');
  const guardian = await guardianPid();
  const pid = await postmasterPid();
  // The owner first: while it lives it would replace a killed guardian.
  await owner.kill();
  process.kill(guardian, 'SIGKILL');
  // PostgreSQL itself is still there, and nobody's. The next start ends it and takes its place.
  expect(isAlive(pid)).toBe(true);
  const next = await start();
  expect(isAlive(pid)).toBe(false);
  expect(await ask(next.url, 'SELECT n FROM committed')).toBe(7);

  process.kill(await postmasterPid(), 'SIGKILL');
  await until('PostgreSQL to be back', () => answers(next.url));
  expect(await ask(next.url, 'SELECT n FROM committed')).toBe(7);
});

test('a killed guardian is replaced while its owner lives', async () => {
  const postgres = await start();
  const orphan = await postmasterPid();
  process.kill(await guardianPid(), 'SIGKILL');
  await until('the orphan to be ended', () => !isAlive(orphan));
  await until('another in its place', () => answers(postgres.url));
  const pid = await postmasterPid();
  await postgres.release();
  expect(isAlive(pid)).toBe(false);
});

test('a lock file whose process id belongs to somebody else by now does not stop it', async () => {
  const file = join(dataDir, 'cluster', 'postmaster.pid');
  await fs.writeFile(file, `${process.pid}\n${dataDir}/cluster\n1\n1\n\n127.0.0.1\n1 1\nready\n`);
  const postgres = await start();
  expect(await ask(postgres.url, 'SELECT 1')).toBe(1);
});

test('a file that names a dead guardian, at a port that is a stranger by now, does not stop it', async () => {
  const stranger = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const { port } = stranger.address() as { port: number };
  await fs.writeFile(join(dataDir, 'guardian.json'), JSON.stringify({ port, token: 'x' }));
  const postgres = await start();
  expect(await ask(postgres.url, 'SELECT 1')).toBe(1);
  stranger.close();
});

test('moves to another port when its own is taken, and says so', async () => {
  const { port } = JSON.parse(await fs.readFile(join(dataDir, 'settings.json'), 'utf8')) as { port: number };
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
  const postgres = await start();
  expect(postgres.port).not.toBe(port);
  expect(logged.join('\n')).toContain(`Port ${port} is taken`);
  stranger.close();
});

test.each([10, 60, 110, 160])(
  'told to stop %i ms into a start, it leaves nothing behind',
  async (afterMs) => {
    const stop = new AbortController();
    const starting = start({ signal: stop.signal });
    await delay(afterMs);
    stop.abort(new Error('told to stop'));
    await starting.then(
      (postgres) => postgres.release(),
      (error: Error) => expect(error.message).toBe('told to stop'),
    );
    await until('the guardian to end', () => !existsSync(join(dataDir, 'guardian.json')));
    await until('PostgreSQL to end', () => !existsSync(join(dataDir, 'cluster', 'postmaster.pid')));
  },
);

test('refuses the data of another major version, with the commands that move it', async () => {
  const version = join(dataDir, 'cluster', 'PG_VERSION');
  const ours = await fs.readFile(version, 'utf8');
  await fs.writeFile(version, '13\n');
  const refusal = await start().catch((error: Error) => error.message);
  expect(refusal).toMatch(/written by PostgreSQL 13/);
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
  const [postgres, original] = await Promise.all([start({ dataDir: copy }), start()]);
  expect(postgres.port).not.toBe(original.port);
  expect(await ask(postgres.url, 'SELECT answer FROM kept')).toBe(42);
});

test.runIf(process.getuid?.() === 0)(
  'as root it runs under another account, also where that account cannot reach the clone',
  async () => {
    const closed = join(folder, 'home');
    await fs.mkdir(closed, { mode: 0o700 });
    const postgres = await start({ dataDir: join(closed, 'clone', 'postgres') });
    const cluster = (await ask(postgres.url, 'SHOW data_directory')) as string;
    expect(cluster).toMatch(/^\/(var\/)?tmp\/embedded-postgres-/);
    expect(logged.join('\n')).toContain(`cannot reach ${closed}`);
    expect((await fs.stat(`/proc/${await postmasterPid(cluster)}`)).uid).not.toBe(0);
    await postgres.release();
    await fs.rm(join(cluster, '..'), { recursive: true });
  },
);

async function guardianPid(): Promise<number> {
  return (JSON.parse(await fs.readFile(join(dataDir, 'guardian.json'), 'utf8')) as { pid: number }).pid;
}

async function answers(url: string): Promise<boolean> {
  return query(url, 'SELECT 1').then(
    () => true,
    () => false,
  );
}
