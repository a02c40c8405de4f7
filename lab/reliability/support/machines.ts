/** The other processes that a scenario needs: a load balancer, a PostgreSQL of its own, a pooler. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { keepPostgres } from '../../../scripts/postgres/keep.mjs';
import { freePort } from '../../../tests/support/server.ts';
import { until } from '../../../tests/support/until.ts';

/** Ends a process that was started here, and waits for it. */
async function endOf(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

async function listens(port: number, child: ChildProcess, what: string): Promise<void> {
  await until(`${what} to listen`, async () => {
    if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  });
}

export interface Balancer extends AsyncDisposable {
  url: string;
  /** How many replicas it sends requests to. */
  up(): Promise<number>;
}

/** How often the balancer asks `/ready`, in milliseconds. One answer of 503 takes a replica out. */
export const CHECK_MS = 200;

/** HAProxy before replicas, asking each for `/ready`. It repeats only what never reached a replica. */
export async function startBalancer(replicas: readonly number[]): Promise<Balancer> {
  const folder = await mkdtemp(join(tmpdir(), 'balancer-'));
  const port = await freePort();
  const control = join(folder, 'control.sock');
  const config = `
global
  maxconn 4000
  stats socket ${control}
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 2s
  option redispatch
  retries 2
frontend all
  bind 127.0.0.1:${port}
  default_backend replicas
backend replicas
  balance roundrobin
  option httpchk GET /ready
  default-server check inter ${CHECK_MS}ms fall 1 rise 1
${replicas.map((replica, n) => `  server replica${n} 127.0.0.1:${replica}`).join('\n')}
`;
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, config);
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  await listens(port, child, 'HAProxy');
  // It names this socket after it has opened its ports.
  await until('the control socket', () => existsSync(control));
  return {
    url: `http://127.0.0.1:${port}`,
    async up() {
      const socket = connect(control);
      socket.end('show stat\n');
      const lines = (await socket.setEncoding('utf8').toArray()).join('').split('\n');
      const status = lines[0]?.split(',').indexOf('status') ?? -1;
      return lines.filter((line) => /^replicas,replica/.test(line) && line.split(',')[status] === 'UP')
        .length;
    },
    async [Symbol.asyncDispose]() {
      await endOf(child, 'SIGKILL');
      await rm(folder, { recursive: true });
    },
  };
}

export interface OwnPostgres extends AsyncDisposable {
  url: string;
  /** Stops the server as an administrator would; connections are ended with 57P01. Nothing listens afterwards. */
  stop(): Promise<void>;
  /** Starts it again. @returns when it answers. */
  start(): Promise<void>;
}

/** A PostgreSQL for one test alone, because it is going to be stopped. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'));
  // Another account runs it where this one is root.
  await chmod(folder, 0o755);
  const postgres = await keepPostgres({
    folder: join(folder, 'data'),
    database: 'reliability',
    log: () => {},
    maxConnections: 100,
  });
  await postgres.ready;
  // It keeps PostgreSQL running; while it stands still nobody does.
  const keeper = Number(await readFile(join(folder, 'data', 'keeper.pid'), 'utf8'));
  // Whatever becomes of this process, nobody is left standing still.
  process.once('exit', wake);
  function wake() {
    try {
      process.kill(keeper, 'SIGCONT');
    } catch {
      // It has ended.
    }
  }
  const answers = async () => {
    const client = new pg.Client({ connectionString: postgres.url });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query(`select pg_read_file('postmaster.pid') as file`)).rows[0].file as string;
    } catch {
      return undefined;
    } finally {
      await client.end().catch(() => {});
    }
  };
  return {
    url: postgres.url,
    async stop() {
      const server = Number.parseInt((await answers()) ?? '', 10);
      process.kill(keeper, 'SIGSTOP');
      process.kill(server, 'SIGINT');
      await until('PostgreSQL to stop', async () => (await answers()) === undefined);
    },
    async start() {
      wake();
      await until('PostgreSQL to answer', answers);
    },
    async [Symbol.asyncDispose]() {
      wake();
      process.off('exit', wake);
      await postgres.release();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** PgBouncer in transaction mode before a database. @returns the address of that database behind it. */
export async function startPooler(databaseUrl: string): Promise<AsyncDisposable & { url: string }> {
  const { hostname, port: target, username, password, pathname } = new URL(databaseUrl);
  const folder = await mkdtemp(join(tmpdir(), 'pooler-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const database = pathname.slice(1);
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    `[databases]
${database} = host=${hostname} port=${target} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 200
`,
  );
  // It refuses to run as root.
  const asWhom = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn('pgbouncer', ['-q', ...asWhom, join(folder, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await listens(port, child, 'PgBouncer');
  const url = new URL(databaseUrl);
  url.port = String(port);
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await endOf(child, 'SIGKILL');
      await rm(folder, { recursive: true });
    },
  };
}
