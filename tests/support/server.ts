import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const ROOT = join(import.meta.dirname, '..', '..');
/** The server with `/api/things`, a feature of the tests' own: `startServer(env, { main: WITH_THINGS })`. */
export const WITH_THINGS = join(import.meta.dirname, 'fixture', 'main.ts');
const BUILT = join(ROOT, 'dist', 'server', 'main.js');

/** A server in a process of its own, as it is shipped. */
export interface SpawnedServer {
  url: string;
  port: number;
  child: ChildProcess;
  /** Everything it has written so far, in whole lines. */
  output(): string;
  /** Its log lines, parsed. */
  log(): Record<string, unknown>[];
  /** Asks until `/ready` says 200. @throws Error with the output when it does not within the limit. */
  ready(limitMs?: number): Promise<void>;
  /** Asks until the port answers at all. */
  open(limitMs?: number): Promise<void>;
  /** Sends a signal and waits for the end. Returns the exit code, or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | string>;
  /** Waits for the end without asking for it. */
  ended(limitMs?: number): Promise<number | string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A test that runs out of time cannot end what it has started. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

/**
 * @returns A port that nothing listens on. No other test gets it while this process lives: a UDP socket on the same number
 * reserves it. It lies below the ports that systems choose by themselves, and below those of the tests' PostgreSQL.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
}

/** @returns False where another test has reserved the port. */
async function reserve(port: number): Promise<boolean> {
  const reservation = createSocket('udp4').unref();
  reservation.bind({ port, address: '127.0.0.1', exclusive: true });
  return once(reservation, 'listening').then(
    () => true,
    () => false,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((done) => server.close(done));
  }
}

/**
 * Starts `dist/server/main.js` with nothing in its environment but what is given, `PATH`, a free `PORT` and a generous rate limit.
 *
 * @param options.args Arguments instead of `serve`.
 * @param options.cwd Where it runs; there it looks for `.env`.
 * @param options.flags For Node, before the file.
 * @param options.under A command that becomes the server: `['prlimit', '--nofile=200']`.
 */
export async function startServer(
  env: Record<string, string> = {},
  options: { args?: string[]; cwd?: string; flags?: string[]; main?: string; under?: string[] } = {},
): Promise<SpawnedServer> {
  const port = Number(env.PORT ?? (await freePort()));
  const [command = process.execPath, ...args] = [...(options.under ?? []), process.execPath];
  const { flags = [], main = BUILT } = options;
  const child = spawn(command, [...args, ...flags, main, ...(options.args ?? [])], {
    cwd: options.cwd ?? import.meta.dirname,
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: String(port),
      // Tests ask more often than visitors do, and all of them from one address.
      RATE_LIMIT_MAX: '100000',
      // What is built keeps a cache by itself; sources are compiled once for all tests.
      ...(main.endsWith('.ts') && { NODE_COMPILE_CACHE: join(ROOT, '.data', 'compile-cache') }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    // Chunks end anywhere, and the two streams alternate: only whole lines are added.
    let begun = '';
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const end = chunk.lastIndexOf('\n') + 1;
      if (end > 0) output += begun + chunk.slice(0, end);
      begun = (end > 0 ? '' : begun) + chunk.slice(end);
    });
    stream?.once('end', () => (output += begun));
  }
  const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);

  const url = `http://127.0.0.1:${port}`;
  const until = async (path: string, accept: (status: number) => boolean, limitMs: number) => {
    const limit = Date.now() + limitMs;
    while (Date.now() < limit) {
      const status = await statusOf(url + path);
      if (accept(status)) return;
      if (child.exitCode !== null || child.signalCode !== null) break;
      await sleep(20);
    }
    throw new Error(
      `${path} of the server did not answer as hoped within ${limitMs} ms. It said:\n${output}`,
    );
  };

  const server: SpawnedServer = {
    url,
    port,
    child,
    output: () => output,
    log: () => output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : [])),
    ready: (limitMs = 120_000) => until('/ready', (status) => status === 200, limitMs),
    open: (limitMs = 120_000) => until('/live', (status) => status === 200, limitMs),
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return exit;
    },
    async ended(limitMs = 120_000) {
      const late = sleep(limitMs, 'late', { ref: false });
      const how = await Promise.race([exit, late]);
      if (how === 'late') throw new Error(`the server still ran after ${limitMs} ms. It said:\n${output}`);
      return how;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exit;
    },
  };
  return server;
}
