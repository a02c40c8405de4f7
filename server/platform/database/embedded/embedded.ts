import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import {
  type GuardianAddress,
  type GuardianMessage,
  type GuardianOptions,
  readLines,
} from './embedded-guardian.ts';

/** A PostgreSQL of one's own, for development and tests. */
export interface EmbeddedPostgres {
  /** Connection string of the wanted database, as its superuser. */
  url: string;
  port: number;
  /** As in `18.4`. */
  version: string;
  /** Whether it was running already. */
  adopted: boolean;
  /** Time from the call to a database that answers, in milliseconds. */
  startedInMs: number;
  /** Lets go of it. The last owner's release stops PostgreSQL and resolves when it is gone. */
  release(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Folder of the cluster, as in `<clone>/.data/postgres`. One PostgreSQL runs for each, whoever asks. */
  dataDir: string;
  /** Created if it is missing. */
  database: string;
  log(message: string): void;
  signal?: AbortSignal;
  /** False, for tests: no fsync. Like the next two it counts when PostgreSQL starts, not when it is adopted. */
  durable?: boolean;
  maxConnections?: number;
  /** How long PostgreSQL waits for another owner after the last one was killed, in milliseconds. */
  graceMs?: number;
  /** Program and arguments that call `runPostgresGuardian` with the arguments after them; the bundle names itself here. */
  guardianCommand?: string[];
}

/** First creation of a cluster takes a second; recovery after a crash can take long. */
const START_LIMIT_MS = 120_000;

/**
 * Starts PostgreSQL for a folder, or joins the one that runs. It survives a killed owner, is joined by the next start,
 * and stops with its last owner.
 *
 * @throws Error that says what to do when there is no server to run, the data is another major version's, or it fails to start.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const began = performance.now();
  const dataDir = resolve(options.dataDir);
  await fs.mkdir(dataDir, { recursive: true });
  const limit = AbortSignal.timeout(START_LIMIT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;

  const { ready, adopted, socket } = await takeHold(dataDir, options, signal);
  const { port, password, version } = ready;
  const address = (database: string) =>
    `postgresql://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

  let held: Promise<Socket | undefined> = Promise.resolve(socket);
  let released = false;
  const keep = (socket: Socket) => {
    socket.unref();
    socket.once('close', () => {
      if (released) return;
      options.log('The process that guards the embedded PostgreSQL is gone; starting another');
      held = takeHold(dataDir, options, AbortSignal.timeout(START_LIMIT_MS)).then(
        (again) => {
          keep(again.socket);
          return again.socket;
        },
        (error: Error) => {
          options.log(`The embedded PostgreSQL is gone: ${error.message}`);
          return undefined;
        },
      );
    });
  };
  keep(socket);

  const release = async () => {
    if (released) return;
    released = true;
    const socket = await held;
    if (!socket || socket.destroyed) return;
    socket.ref();
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    socket.write('release\n');
    const timer = setTimeout(() => socket.destroy(), 15_000);
    await closed;
    clearTimeout(timer);
  };

  try {
    await ensureDatabase(address, options.database, signal);
  } catch (error) {
    await release();
    throw error;
  }
  const startedInMs = Math.round(performance.now() - began);
  return { url: address(options.database), port, version, adopted, startedInMs, release };
}

interface Hold {
  socket: Socket;
  ready: { port: number; password: string; version: string };
  adopted: boolean;
}

/** Connects to the folder's guardian, starting one where none answers, and waits until it says that PostgreSQL is ready. */
async function takeHold(
  dataDir: string,
  options: EmbeddedPostgresOptions,
  signal: AbortSignal,
): Promise<Hold> {
  let guardian: ChildProcess | undefined;
  const silent = { token: '', until: 0 };
  for (;;) {
    if (signal.aborted) {
      guardian?.kill();
      throw signal.reason;
    }
    const address = await readAddress(dataDir);
    if (address && (address.token !== silent.token || Date.now() > silent.until)) {
      const call = await callGuardian(address, dataDir, options.log, signal);
      if (call) {
        const adopted = guardian?.pid !== address.pid;
        // Another starter's guardian was quicker than ours, which waits for its turn.
        if (adopted) guardian?.kill();
        return { socket: call.socket, ready: await call.ready, adopted };
      }
      // Its successor will write another address. Should it be alive after all, it is asked again a little later.
      Object.assign(silent, { token: address.token, until: Date.now() + 3_000 });
    }
    if (!guardian || guardian.exitCode !== null || guardian.signalCode !== null) {
      guardian = await spawnGuardian(dataDir, options);
    }
    await delay(10);
  }
}

async function readAddress(dataDir: string): Promise<GuardianAddress | undefined> {
  try {
    return JSON.parse(await fs.readFile(join(dataDir, 'guardian.json'), 'utf8')) as GuardianAddress;
  } catch {
    return undefined;
  }
}

async function spawnGuardian(dataDir: string, options: EmbeddedPostgresOptions): Promise<ChildProcess> {
  const logFile = join(dataDir, 'postgres.log');
  const { size } = await fs.stat(logFile).catch(() => ({ size: 0 }));
  const log = await fs.open(logFile, size > 1_000_000 ? 'w' : 'a', 0o600);
  const source = pathToFileURL(join(import.meta.dirname, 'embedded-guardian.ts')).href;
  const evaluate = `import(${JSON.stringify(source)}).then((guardian) => guardian.runPostgresGuardian(process.argv.slice(1)))`;
  const [command = process.execPath, ...args] = options.guardianCommand ?? [
    process.execPath,
    '--eval',
    evaluate,
  ];
  const guardianOptions: GuardianOptions = {
    dataDir,
    durable: options.durable ?? true,
    maxConnections: options.maxConnections ?? 60,
    graceMs: options.graceMs ?? 15_000,
  };
  const guardian = spawn(command, [...args, JSON.stringify(guardianOptions)], {
    // A session of its own: neither Ctrl-C nor the end of a terminal reaches it.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    windowsHide: true,
  });
  guardian.on('error', () => {});
  guardian.unref();
  await log.close();
  if (guardian.pid === undefined)
    throw new Error(`${command} could not be started to guard the embedded PostgreSQL`);
  return guardian;
}

interface Call {
  socket: Socket;
  ready: Promise<Hold['ready']>;
}

/** Calls the guardian at `address`. `undefined`: there is none, or something else listens there. */
async function callGuardian(
  address: GuardianAddress,
  dataDir: string,
  log: (message: string) => void,
  signal: AbortSignal,
): Promise<Call | undefined> {
  const socket = connect(address.port, '127.0.0.1');
  const greeted = Promise.withResolvers<boolean>();
  const ready = Promise.withResolvers<Hold['ready']>();
  ready.promise.catch(() => {});
  readLines(socket, (line) => {
    const message = parseMessage(line);
    if (!message) socket.destroy();
    else if ('hello' in message) greeted.resolve(true);
    else if ('log' in message) log(message.log);
    else if ('ready' in message) ready.resolve(message.ready);
    else {
      ready.reject(new Error(message.failed));
      socket.destroy();
    }
  });
  const abort = () => {
    ready.reject(signal.reason);
    socket.end('release\n');
  };
  signal.addEventListener('abort', abort, { once: true });
  ready.promise.then(
    () => signal.removeEventListener('abort', abort),
    () => signal.removeEventListener('abort', abort),
  );
  socket.on('error', () => {});
  socket.once('close', () => {
    greeted.resolve(false);
    ready.reject(new Error(`PostgreSQL did not start. What it said: ${join(dataDir, 'postgres.log')}`));
  });
  socket.write(`${address.token}\n`);
  const stranger = setTimeout(() => socket.destroy(), 1_000);
  const isGuardian = await greeted.promise;
  clearTimeout(stranger);
  return isGuardian ? { socket, ready: ready.promise } : undefined;
}

function parseMessage(line: string): GuardianMessage | undefined {
  try {
    return JSON.parse(line) as GuardianMessage;
  } catch {
    return undefined;
  }
}

async function ensureDatabase(
  address: (database: string) => string,
  database: string,
  signal: AbortSignal,
): Promise<void> {
  const ask = async (url: string, sql: string) => {
    signal.throwIfAborted();
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query(sql);
    } finally {
      await client.end().catch(() => {});
    }
  };
  const codeOf = (error: unknown) => (error as { code?: string }).code;
  try {
    await ask(address(database), '');
  } catch (error) {
    if (codeOf(error) !== '3D000') throw error;
    await ask(address('postgres'), `CREATE DATABASE ${pg.escapeIdentifier(database)}`).catch((failure) => {
      // Another starter created it in the same moment.
      if (codeOf(failure) !== '42P04' && codeOf(failure) !== '23505') throw failure;
    });
  }
}
