/**
 * A contender: a server in its own process, on its own core if the system supports that, and its costs.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepPostgres } from '../../scripts/postgres/keep.mjs';
import { migrate } from '../../server/platform/database/migrations/migrator.ts';
import { freePort, ROOT } from '../../tests/support/server.ts';
import { addUser, user } from '../../tests/support/user.ts';

export const CONTENDERS: string = join(ROOT, 'lab/bench/contenders');
/** The server has the first core, the load generator the second. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';

export interface ContenderOptions {
  name: string;
  /** The program and its arguments; a function if they need the port, which is also in `PORT`. */
  command: string[] | ((port: number) => string[]);
  /** Called before the start. */
  prepare?: (port: number) => Promise<void>;
  env?: Record<string, string>;
  /** File for its standard output; discarded by default. */
  output?: string | undefined;
  /** Answers 200 once it is ready; `/api/status` by default. */
  ready?: string;
}

export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Processor time that the process has used so far, all its threads together, in microseconds. */
  processorUs(): number;
  residentMiB(): number;
  end(): Promise<void>;
}

const CAN_PIN = process.platform === 'linux' && existsSync('/usr/bin/taskset');

/** The load generators inherit the core of this process. */
export function leaveServerCore(): void {
  if (CAN_PIN) execFileSync('taskset', ['-acp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' });
}

/** Installs the packages of the contenders if their lock file has changed. */
export function installContenders(): void {
  const lock = join(CONTENDERS, 'package-lock.json');
  const installed = join(CONTENDERS, 'node_modules/.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log('installing the contenders …');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: CONTENDERS,
    stdio: 'inherit',
  });
}

/** Runs a suite with a migrated database and a folder for logs, away from the server's core. */
export async function withDatabase(
  name: string,
  run: (databaseUrl: string, folder: string) => Promise<void>,
): Promise<void> {
  installContenders();
  leaveServerCore();
  // In memory if possible: writing hundreds of megabytes of log to a disk causes pauses.
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bench-'));
  const postgres = await keepPostgres({
    folder: join(ROOT, '.data/bench-postgres'),
    database: name,
    durable: false,
    log: () => {},
  });
  await postgres.ready;
  try {
    await prepareDatabase(postgres.url);
    await run(postgres.url, folder);
  } finally {
    await postgres.release();
    await rm(folder, { recursive: true });
  }
}

/** Migrates it, and makes the user of the requests. */
export async function prepareDatabase(connectionString: string): Promise<void> {
  const log = { debug() {}, info() {}, warn: console.warn, error: console.error };
  const folder = join(ROOT, 'drizzle');
  await migrate({ connection: { connectionString }, directUrlConfigured: false, folder, log });
  await addUser(connectionString);
}

/** What requests of a path carry: the sample's routes are for users. */
export const headersOf = (path: string): Readonly<Record<string, string>> =>
  path.startsWith('/api/notes') ? user.headers : {};

/** @returns The command, pinned to one core if `taskset` is available. */
export function onServerCore(command: string[]): string[] {
  return CAN_PIN ? ['taskset', '-c', SERVER_CORE, ...command] : command;
}

/** @throws Error if the process ends, or does not respond within 20 s. */
export async function startContender(options: ContenderOptions): Promise<Contender> {
  const port = await freePort();
  await options.prepare?.(port);
  const [program = '', ...args] = onServerCore(
    typeof options.command === 'function' ? options.command(port) : options.command,
  );
  const output = options.output === undefined ? 'ignore' : openSync(options.output, 'w');
  const child: ChildProcess = spawn(program, args, {
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), ...options.env },
    stdio: ['ignore', output, 'inherit'],
  });
  if (typeof output === 'number') closeSync(output);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const pid = child.pid as number;
  const limit = performance.now() + 20_000;
  while (!(await answers(`http://127.0.0.1:${port}${options.ready ?? '/api/status'}`))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > limit) {
      throw new Error(`${options.name} did not become ready: ${program} ${args.join(' ')}`);
    }
    await sleep(50);
  }
  return {
    name: options.name,
    port,
    pid,
    processorUs: () => processorUs(pid),
    residentMiB: () => residentMiB(pid),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await once(child, 'exit');
      clearTimeout(late);
    },
  };
}

const answers = (url: string) =>
  fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.ok;
    },
    () => false,
  );

/** Linux counts each thread in nanoseconds; `ps` elsewhere in hundredths of a second. */
function processorUs(pid: number): number {
  if (process.platform === 'linux') {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.reduce((sum, task) => {
      const [ns = 0] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ').map(Number);
      return sum + ns / 1_000;
    }, 0);
  }
  const time = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  return time.split(/[:-]/).reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000_000;
}

function residentMiB(pid: number): number {
  if (process.platform !== 'linux') {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1_024;
  }
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}

export interface Load {
  /** Responses per second. */
  rate: number;
  /** Processor time of the server, in microseconds. */
  cpuPerRequest: number;
}

export interface LoadOptions {
  path: string;
  connections: number;
  seconds: number;
  /** Those of {@link headersOf} by default. */
  headers?: Record<string, string> | undefined;
  /** A JSON document to POST. Without one the method is GET. */
  body?: object | undefined;
}

/**
 * Sends requests as fast as the contender responds, with wrk, or with autocannon if wrk is not installed.
 *
 * @throws Error if a response is not successful: the rate would mean nothing.
 */
export async function load(contender: Contender, options: LoadOptions): Promise<Load> {
  const url = `http://127.0.0.1:${contender.port}${options.path}`;
  const before = contender.processorUs();
  const { requests, seconds } = existsSync('/usr/bin/wrk')
    ? await byWrk(url, options)
    : await byAutocannon(url, options);
  return { rate: requests / seconds, cpuPerRequest: (contender.processorUs() - before) / requests };
}

async function byWrk(
  url: string,
  { path, connections, seconds, headers = headersOf(path), body }: LoadOptions,
) {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s'];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  const script = join(tmpdir(), `bench-${process.pid}.lua`);
  if (body) {
    // A JSON string is also a Lua string.
    const text = JSON.stringify(JSON.stringify(body));
    const type = 'wrk.headers["content-type"] = "application/json"';
    await writeFile(script, `wrk.method = "POST"\nwrk.body = ${text}\n${type}\n`);
    args.push('-s', script);
  }
  const said = await run(['wrk', ...args, url]);
  if (body) await rm(script);
  const [, requests = 0, took = 0] = (/(\d+) requests in ([\d.]+)s/.exec(said) ?? []).map(Number);
  // wrk does not count a 304 as a failure.
  if (requests === 0 || /Non-2xx/.test(said)) throw new Error(`${url} did not answer as it should:\n${said}`);
  return { requests, seconds: took };
}

async function byAutocannon(
  url: string,
  { path, connections, seconds, headers = headersOf(path), body }: LoadOptions,
) {
  const program = join(CONTENDERS, 'node_modules/autocannon/autocannon.js');
  const args = ['-j', '-c', String(connections), '-d', String(seconds)];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}=${value}`);
  if (body) args.push('-m', 'POST', '-H', 'content-type=application/json', '-b', JSON.stringify(body));
  const said = JSON.parse(await run([process.execPath, program, ...args, url]));
  if (said.errors > 0 || said['4xx'] + said['5xx'] > 0) throw new Error(`${url} did not answer as it should`);
  return { requests: said.requests.total as number, seconds: said.duration as number };
}

async function run([program = '', ...args]: string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  await once(child, 'close');
  return said;
}
