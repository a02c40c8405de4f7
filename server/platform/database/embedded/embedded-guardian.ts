import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Account,
  createCluster,
  endOrphan,
  findServer,
  type Postmaster,
  PostmasterError,
  reachable,
  type ServerPrograms,
  startPostmaster,
  unprivilegedAccount,
} from './embedded-server.ts';

/*
 * PostgreSQL should outlive a killed application for a moment and never outlive it for long, so neither of the two can
 * be the other's parent. This small process stands between them: it owns PostgreSQL, and every application holds a
 * connection to it. The kernel closes the connection of a process that dies, however it dies.
 */

export interface GuardianOptions {
  /** Folder of this cluster: the data and everything kept about it. */
  dataDir: string;
  /** False: no fsync. Faster, and a power cut may ruin the data. */
  durable: boolean;
  maxConnections: number;
  /** How long PostgreSQL stays up for another owner after the last one vanished, in milliseconds. */
  graceMs: number;
}

/** What the guardian tells its owners, one JSON document a line. */
export type GuardianMessage =
  | { hello: true }
  | { log: string }
  | { ready: { port: number; password: string; version: string } }
  | { failed: string };

/** `guardian.json`: the running guardian, where it listens, and the word that opens. */
export interface GuardianAddress {
  pid: number;
  port: number;
  token: string;
}

/** `settings.json`: what stays the same from start to start. */
interface Settings {
  id: string;
  password: string;
  port?: number;
}

const RESTARTS_PER_MINUTE = 5;

/**
 * The guardian process: takes the folder's lock, runs PostgreSQL, and ends when its last owner has released it, or when
 * nobody has held it for `graceMs`. Returns when all of that is over.
 *
 * @param argv one argument: GuardianOptions as JSON.
 */
export async function runPostgresGuardian(argv: string[]): Promise<void> {
  const options = JSON.parse(argv[0] ?? '{}') as GuardianOptions;
  const { dataDir } = options;
  process.title = 'postgres-guardian';
  await fs.mkdir(dataDir, { recursive: true });

  // The one lock among Node's own modules that the kernel takes back from a killed process. Waits for a guardian that is stopping.
  const lock = new DatabaseSync(join(dataDir, 'guardian.lock'), { timeout: 15_000 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch {
    return;
  }

  const owners = new Owners(options.graceMs);
  const addressFile = join(dataDir, 'guardian.json');
  await writePrivately(addressFile, (await owners.admit()) satisfies GuardianAddress);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, owners.leave);

  const guarding = guard(options, owners).catch((error: Error) => {
    console.error(error.message);
    owners.fail(error.message);
  });
  await owners.left;
  await fs.rm(addressFile, { force: true });
  await guarding;
  owners.dismiss();
  lock.close();
}

/** Keeps PostgreSQL running until the owners have left. */
async function guard(options: GuardianOptions, owners: Owners): Promise<void> {
  const log = (message: string) => owners.tell({ log: message });
  const home = await prepare(options, log);
  const { settings, server } = home;
  const ends: number[] = [];
  while (!owners.leaving) {
    const postmaster = await start(home, options, log);
    owners.tell({
      ready: { port: settings.port as number, password: settings.password, version: server.version },
    });
    await Promise.race([postmaster.exited, owners.left]);
    if (owners.leaving) return postmaster.stop();
    ends.push(Date.now());
    if (ends.filter((at) => at > Date.now() - 60_000).length > RESTARTS_PER_MINUTE) {
      throw new Error(
        `PostgreSQL keeps ending by itself. What it said: ${join(options.dataDir, 'postgres.log')}`,
      );
    }
    log('The embedded PostgreSQL ended by itself; starting it again');
  }
}

/** Those who want PostgreSQL to run: a connection each. */
class Owners {
  /** Resolves when nobody wants it any more. */
  readonly left: Promise<void>;
  leaving = false;
  readonly leave: () => void;
  readonly #sockets = new Set<Socket>();
  readonly #token = randomBytes(24).toString('base64url');
  readonly #door = createServer((socket) => this.#meet(socket));
  readonly #graceMs: number;
  #grace: NodeJS.Timeout | undefined;
  #state: GuardianMessage | undefined;
  readonly #untold: GuardianMessage[] = [];

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
    const left = Promise.withResolvers<void>();
    this.left = left.promise;
    this.leave = () => {
      this.leaving = true;
      clearTimeout(this.#grace);
      this.#door.close();
      left.resolve();
    };
  }

  async admit(): Promise<GuardianAddress> {
    await new Promise<void>((resolve) => this.#door.listen(0, '127.0.0.1', resolve));
    this.#wait(this.#graceMs);
    return { pid: process.pid, port: (this.#door.address() as AddressInfo).port, token: this.#token };
  }

  /** Tells everybody. Who comes later hears the latest state, and the first one what was logged before. */
  tell(message: GuardianMessage): void {
    if (!('log' in message)) this.#state = message;
    else if (this.#sockets.size === 0) this.#untold.push(message);
    for (const socket of this.#sockets) send(socket, message);
  }

  /** PostgreSQL cannot run. Whoever asks first hears why; the next start tries again. */
  fail(reason: string): void {
    this.tell({ failed: reason });
    if (this.#sockets.size > 0) this.leave();
    else this.#wait(2_000);
  }

  dismiss(): void {
    for (const socket of this.#sockets) socket.end();
  }

  #meet(socket: Socket): void {
    socket.on('error', () => {});
    readLines(socket, (line) => {
      if (line === this.#token && !this.leaving) {
        this.#sockets.add(socket);
        clearTimeout(this.#grace);
        send(socket, { hello: true });
        for (const message of this.#untold.splice(0)) send(socket, message);
        if (this.#state) send(socket, this.#state);
        if (this.#state && 'failed' in this.#state) this.leave();
      } else if (line === 'release' && this.#sockets.has(socket)) {
        if (this.#sockets.size === 1) return this.leave();
        this.#sockets.delete(socket);
        socket.end();
      } else {
        socket.destroy();
      }
    });
    socket.once('close', () => {
      if (this.#sockets.delete(socket) && this.#sockets.size === 0) this.#wait(this.#graceMs);
    });
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#grace);
    if (!this.leaving) this.#grace = setTimeout(this.leave, milliseconds);
  }
}

function send(socket: Socket, message: GuardianMessage): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls `onLine` for every whole line that arrives. */
export function readLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}

interface Home {
  cluster: string;
  server: ServerPrograms;
  account: Account | undefined;
  settings: Settings;
}

/** Settles the account, the place, the programs and the cluster, creating what is missing. */
async function prepare({ dataDir }: GuardianOptions, log: (message: string) => void): Promise<Home> {
  const account = await unprivilegedAccount();
  await fs.chmod(dataDir, account ? 0o711 : 0o700);
  const settings = await readSettings(dataDir);
  const home = await settle(dataDir, settings.id, account);
  if (home !== dataDir) {
    log(`The account ${account?.name} cannot reach ${dataDir}, so PostgreSQL keeps its data in ${home}`);
  }
  const server = await findServer(home, account, log);
  const cluster = join(home, 'cluster');
  const major = await majorVersion(cluster);
  if (!major) {
    log(`Creating a PostgreSQL ${server.version} cluster in ${cluster}`);
    await createCluster(server, cluster, settings.password, account);
  } else if (major !== String(Number.parseInt(server.version, 10))) {
    throw new Error(otherMajor(cluster, join(dataDir, 'settings.json'), major, server));
  }
  await takeOver(cluster, account);
  await endOrphan(server, cluster, log);
  return { cluster, server, account, settings };
}

/** Starts PostgreSQL on the remembered port, or on another where that one is taken. */
async function start(
  home: Home,
  options: GuardianOptions,
  log: (message: string) => void,
): Promise<Postmaster> {
  const { cluster, server, account, settings } = home;
  const patience = Date.now() + 10_000;
  for (;;) {
    const port = await freePort(settings, options.dataDir);
    if (port !== settings.port) {
      if (settings.port)
        log(`Port ${settings.port} is taken by another program: PostgreSQL moves to ${port}`);
      settings.port = port;
      await writePrivately(join(options.dataDir, 'settings.json'), settings);
    }
    try {
      return await startPostmaster(
        server,
        cluster,
        postgresSettings(port, options),
        join(options.dataDir, 'postgres.log'),
        account,
      );
    } catch (error) {
      if (!(error instanceof PostmasterError) || error.reason === 'other' || Date.now() > patience)
        throw error;
      // Either somebody took the port this very moment, or the backends of a killed server are still ending.
      await delay(100);
    }
  }
}

function postgresSettings(
  port: number,
  { durable, maxConnections }: GuardianOptions,
): Record<string, string | number> {
  return {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: maxConnections,
    shared_buffers: '32MB',
    max_wal_size: '256MB',
    max_wal_senders: 0,
    max_logical_replication_workers: 0,
    wal_level: 'minimal',
    jit: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
}

/** The remembered port if it is free; else one derived from the folder, so that clones differ; else any. */
async function freePort(settings: Settings, dataDir: string): Promise<number> {
  // Below 32768, where no system hands out ports for outgoing connections.
  const derived = 20_000 + (createHash('sha256').update(dataDir).digest().readUInt16BE() % 10_000);
  for (const port of [settings.port, derived, 0]) {
    if (port === undefined) continue;
    const probe = createServer();
    const found = await new Promise<number | undefined>((resolve) => {
      probe.once('error', () => resolve(undefined));
      probe.listen(port, '127.0.0.1', () => resolve((probe.address() as { port: number }).port));
    });
    await new Promise((resolve) => probe.close(resolve));
    if (found !== undefined) return found;
  }
  throw new Error('No free port on 127.0.0.1 for PostgreSQL');
}

async function readSettings(dataDir: string): Promise<Settings> {
  const file = join(dataDir, 'settings.json');
  const text = await fs.readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) return JSON.parse(text) as Settings;
  if (
    await fs.access(join(dataDir, 'cluster')).then(
      () => true,
      () => false,
    )
  ) {
    throw new Error(
      `${file}, which holds the password of the cluster beside it, is gone. Delete ${dataDir} and start again.`,
    );
  }
  const settings: Settings = {
    id: randomBytes(8).toString('hex'),
    password: randomBytes(24).toString('base64url'),
  };
  await writePrivately(file, settings);
  return settings;
}

/**
 * The folder for the cluster: `dataDir`, or, where the unprivileged account cannot get there (a home of mode 0700), one in
 * the system's folder for temporary files that outlive a restart. Its name holds an id, so that a new clone in an old
 * clone's place starts empty, and the path, so that a copied clone does not share its data with the original.
 */
async function settle(dataDir: string, id: string, account: Account | undefined): Promise<string> {
  if (await reachable(join(dataDir, 'guardian.lock'), account)) return dataDir;
  const parent = await fs.access('/var/tmp').then(() => '/var/tmp', tmpdir);
  const home = join(
    parent,
    `embedded-postgres-${createHash('sha256').update(`${dataDir}\0${id}`).digest('hex').slice(0, 16)}`,
  );
  await fs.mkdir(home, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await fs.lstat(home);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${home} belongs to somebody else. Remove it, or set DATABASE_URL.`);
  }
  await fs.chmod(home, 0o711);
  return home;
}

/** The major version that wrote the cluster; empty where there is none. */
async function majorVersion(cluster: string): Promise<string> {
  try {
    return (await fs.readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new Error(
      `The development database in ${cluster} cannot be read by this account (${(error as Error).message}). ` +
        'Start as the account that created it, or delete that folder.',
    );
  }
}

/** PostgreSQL insists on owning its folder alone, which a copied clone, or `chmod -R` on one, has changed. */
async function takeOver(cluster: string, account: Account | undefined): Promise<void> {
  await fs.chmod(cluster, 0o700);
  if (!account || (await fs.stat(cluster)).uid === account.uid) return;
  for (const path of ['.', ...(await fs.readdir(cluster, { recursive: true }))]) {
    await fs.lchown(join(cluster, path), account.uid, account.gid);
  }
}

function otherMajor(cluster: string, settings: string, major: string, server: ServerPrograms): string {
  const installed = Number.parseInt(server.version, 10);
  return [
    `The development database in ${cluster} was written by PostgreSQL ${major}, and the server here is ${installed}.`,
    'To start with an empty one, delete it:',
    `  node -e "fs.rmSync('${cluster.replaceAll('\\', '/')}', { recursive: true })"`,
    `To keep its data, save it first with a full PostgreSQL ${major}, as the user who owns that folder:`,
    `  pg_ctl -D "${cluster}" -o "-p 54329" -w start`,
    '  pg_dumpall --no-role-passwords -h 127.0.0.1 -p 54329 -U postgres -f backup.sql',
    `  pg_ctl -D "${cluster}" -m fast stop`,
    'then delete it as above, start the application, and while it runs:',
    '  psql -h 127.0.0.1 -p PORT -U postgres -f backup.sql postgres',
    `PORT and the password, which is asked for both times, are in ${settings}.`,
  ].join('\n');
}

/** Replaces a file whole, readable by this account only. */
async function writePrivately(file: string, content: object): Promise<void> {
  await fs.writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await fs.rename(`${file}.new`, file);
}
