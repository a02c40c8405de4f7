/** One PostgreSQL: its data folder, created where it is missing, and its server, started and stopped through pg_ctl. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { homeElsewhere, isServerOf, runningIn, type Settings } from './postmaster.mjs';
import {
  type Account,
  findServer,
  program,
  reachable,
  run,
  type ServerPrograms,
  unprivilegedAccount,
  windows,
} from './programs.ts';

export interface ClusterOptions {
  /** Where keep.mjs has put `settings.json`. */
  folder: string;
  /** False: no fsync. Faster, and a power cut may ruin the data. */
  durable: boolean;
  maxConnections: number;
}

/** Recovery after a crash may take long. In seconds, as pg_ctl has it. */
const START_LIMIT_S = 120;
/** A fast stop rolls back what is open; an immediate one is repaired by the next start. */
const STOPS = [
  ['fast', 8],
  ['immediate', 5],
] as const;
/** For the backends of a killed server to end, in milliseconds. */
const BACKENDS_END_MS = 10_000;

export class Cluster {
  readonly settings: Settings & { readonly password: string };
  readonly logFile: string;
  readonly #options: ClusterOptions;
  readonly #log: (message: string) => void;
  #account: Account | undefined;
  #programs: ServerPrograms | undefined;
  #data = '';

  constructor(options: ClusterOptions, log: (message: string) => void) {
    this.#options = options;
    this.#log = log;
    this.settings = JSON.parse(readFileSync(join(options.folder, 'settings.json'), 'utf8'));
    this.logFile = join(options.folder, 'postgres.log');
  }

  /**
   * Finds the account, the data and the programs; creates what is missing. For one process at a time.
   *
   * @throws Error that says what to do where no PostgreSQL runs here, or the data is another major version's.
   */
  async open(): Promise<void> {
    const { version } = await this.#locate();
    const major = await majorVersion(this.#data);
    if (major === '') await this.#create();
    else if (major !== `${Number.parseInt(version, 10)}`)
      throw new Error(otherMajor(this.#data, join(this.#options.folder, 'settings.json'), major, version));
    await this.#own();
  }

  async #locate(): Promise<ServerPrograms> {
    const { folder } = this.#options;
    this.#account = await unprivilegedAccount();
    await fs.chmod(folder, this.#account ? 0o711 : 0o700);
    const home = await this.#home();
    this.#data = join(home, 'cluster');
    this.#programs = await findServer(home, this.#account, this.#log);
    return this.#programs;
  }

  /**
   * Starts the server unless it runs, and waits until it accepts connections.
   *
   * @throws Error with the end of its log.
   */
  async start(): Promise<void> {
    const { port } = this.settings;
    const running = runningIn(this.#data);
    if (running?.port === port) return;
    if (running) await this.stop();
    // PostgreSQL would take another program that has its former process id for itself.
    await fs.rm(join(this.#data, 'postmaster.pid'), { force: true });
    const { durable, maxConnections } = this.#options;
    const flags = Object.entries({
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
    }).map(([name, value]) => `-c ${name}=${value}`);
    const limit = Date.now() + BACKENDS_END_MS;
    for (;;) {
      const logged = (await fs.stat(this.logFile)).size;
      if (await this.#pgCtl('start', '-t', `${START_LIMIT_S}`, '-o', flags.join(' '))) return;
      const said = (await fs.readFile(this.logFile)).subarray(logged).toString().trim();
      if (!/pre-existing shared memory block/.test(said) || Date.now() > limit)
        throw new Error(`PostgreSQL did not start:\n${said.split('\n').slice(-8).join('\n')}`);
      await sleep(100);
    }
  }

  /** Stops the server if it runs. */
  async stop(): Promise<void> {
    if (!this.#programs) await this.#locate();
    const running = runningIn(this.#data);
    for (const [mode, seconds] of STOPS) {
      if (!running || (await this.#pgCtl('stop', '-m', mode, '-t', `${seconds}`))) break;
    }
    while (running && isServerOf(this.#data, running.pid)) await sleep(10);
  }

  isRunning(): boolean {
    return runningIn(this.#data) !== undefined;
  }

  /** @returns Whether it succeeded; what it says goes to our own output, which is the log file. */
  async #pgCtl(action: string, ...args: string[]): Promise<boolean> {
    // On Windows the server would keep our output open.
    const log = windows && action === 'start' ? ['-l', this.logFile] : [];
    const { folder } = this.#programs as ServerPrograms;
    const child = spawn(program(folder, 'pg_ctl'), [action, '-D', this.#data, '-w', '-s', ...log, ...args], {
      ...this.#account,
      cwd: this.#data,
      stdio: ['ignore', 'inherit', 'inherit'],
      windowsHide: true,
    });
    const [code] = await once(child, 'exit');
    return code === 0;
  }

  /** Creates the data folder, which appears whole or not at all. */
  async #create(): Promise<void> {
    const { folder, version } = this.#programs as ServerPrograms;
    this.#log(`Creating a PostgreSQL ${version} cluster in ${this.#data}`);
    const unfinished = `${this.#data}.new`;
    const passwordFile = `${this.#data}.password`;
    await fs.rm(unfinished, { recursive: true, force: true });
    await fs.rm(passwordFile, { force: true });
    await fs.mkdir(unfinished, { mode: 0o700 });
    await fs.writeFile(passwordFile, this.settings.password, { mode: 0o600, flag: 'wx' });
    const { uid, gid } = this.#account ?? {};
    if (uid !== undefined && gid !== undefined)
      for (const path of [unfinished, passwordFile]) await fs.chown(path, uid, gid);
    // PostgreSQL's own Unicode rules: text sorts and folds alike on every system. Before 17 only plain C does that.
    const locale =
      Number.parseInt(version, 10) >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : [];
    try {
      await run(
        program(folder, 'initdb'),
        [
          ...['-D', unfinished, '-U', 'postgres', '--encoding=UTF8', '--locale=C', ...locale],
          ...['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '--no-instructions'],
        ],
        { ...this.#account, cwd: dirname(this.#data) },
      );
      await fs.rename(unfinished, this.#data);
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new Error(`initdb could not create a cluster in ${this.#data}:\n${stderr?.trim() || message}`);
    } finally {
      await fs.rm(passwordFile, { force: true });
    }
  }

  /** PostgreSQL insists on owning its folder alone, which a copied clone, or `chmod -R` on one, has changed. */
  async #own(): Promise<void> {
    await fs.chmod(this.#data, 0o700);
    if (!this.#account || (await fs.stat(this.#data)).uid === this.#account.uid) return;
    for (const path of ['.', ...(await fs.readdir(this.#data, { recursive: true }))]) {
      await fs.lchown(join(this.#data, path), this.#account.uid, this.#account.gid);
    }
  }

  /**
   * `folder`, or, where the unprivileged account cannot get there (a home of mode 0700), a folder among the system's
   * temporary files that outlive a restart. Its name holds an id, so that a new clone in an old clone's place starts
   * empty, and the path, so that a copied clone does not share its data with the original.
   */
  async #home(): Promise<string> {
    const { folder } = this.#options;
    if (await reachable(join(folder, 'settings.json'), this.#account)) return folder;
    const home = homeElsewhere({ folder, id: this.settings.id });
    await fs.mkdir(home, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const found = await fs.lstat(home);
    if (!found.isDirectory() || found.uid !== process.getuid?.()) {
      throw new Error(`${home} belongs to another account. Remove it, or set DATABASE_URL.`);
    }
    await fs.chmod(home, 0o711);
    this.#log(
      `The account ${this.#account?.name} cannot reach ${folder}: PostgreSQL keeps its data in ${home}`,
    );
    return home;
  }
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

function otherMajor(cluster: string, settings: string, major: string, version: string): string {
  const installed = Number.parseInt(version, 10);
  return [
    `PostgreSQL ${major} wrote the development database in ${cluster}, and PostgreSQL ${installed} is installed here.`,
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
