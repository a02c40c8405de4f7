import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { copyFolder } from './support/build.ts';
import { createDatabase } from './support/postgres.ts';
import { runCommand } from './support/run-command.ts';
import { freePort, ROOT } from './support/server.ts';

const launcher = (file: string) => import(pathToFileURL(join(ROOT, 'scripts/launcher', file)).href);
const { packagesAreCurrent } = await launcher('packages.mjs');
const { buildIsCurrent, sourceHash } = await launcher('build.mjs');

/** A clone with everything current, as after a first `npm start`. Changing it changes nothing here. */
let clone: string;
const started: ChildProcess[] = [];

const CLONED = ['client', 'contracts', 'drizzle', 'scripts', 'server', 'dist'];
const CLONED_FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts', '.npmrc'];

beforeAll(async () => {
  clone = await fs.mkdtemp(join(tmpdir(), 'start-test-'));
  // PostgreSQL's account must get there when the tests run as root.
  await fs.chmod(clone, 0o755);
  for (const path of [...CLONED, ...CLONED_FILES]) {
    if (existsSync(join(ROOT, path))) await copyFolder(join(ROOT, path), join(clone, path));
  }
  await fs.symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'), 'junction');
  // `npm test` has built; a single run of this file may have not.
  if (!buildIsCurrent(clone)) await npm(['run', 'build']).ended;
});

/** Ends what a failing test left behind: npm, and where npm itself is gone, what it had started. */
afterEach(() => {
  for (const { pid } of started.splice(0)) {
    try {
      process.kill(process.platform === 'win32' ? (pid as number) : -(pid as number), 'SIGTERM');
    } catch {
      // Nothing was left.
    }
  }
});

afterAll(() => fs.rm(clone, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));

/** Runs npm as a person does, in the clone: nothing of this test run's environment. */
function npm(args: string[], env: Record<string, string> = {}) {
  const { PATH, HOME, npm_execpath } = process.env;
  const [command, ...first] = npm_execpath ? [process.execPath, npm_execpath] : ['npm'];
  const child = spawn(command as string, [...first, ...args], {
    cwd: clone,
    env: { PATH, HOME, HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  // With the last of those who write: a process may be gone before what it has said is read.
  const closed = once(child, 'close').then(() => ended);
  return { child, ended, closed, output: () => output };
}

/** A task that serves, once `/ready` says 200. */
async function serving(args: string[], env: Record<string, string> = {}) {
  const port = await freePort();
  const run = npm(args, { PORT: String(port), ...env });
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  const status = (path: string) =>
    ask(path)
      .then(({ status }) => status)
      .catch(() => 0);
  const ready = (limitMs = 120_000) =>
    until(
      async () => (await status('/ready')) === 200,
      limitMs,
      () => `It said:\n${run.output()}`,
    );
  await ready();
  return {
    ...run,
    status,
    ready,
    pid: async () => ((await (await ask('/live')).json()) as { pid: number }).pid,
  };
}

async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
  why = () => '',
): Promise<void> {
  const limit = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error(`Not so within ${limitMs} ms. ${why()}`);
    await sleep(20);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}

async function parentOf(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'ppid=', '-p', String(pid)]);
  return Number(stdout);
}

/** Whether a launcher's keeper of PostgreSQL has come so far that PostgreSQL stays for it. */
async function isKept(launcher: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'ppid=,command=']);
  return stdout.split('\n').some((line) => new RegExp(`^ *${launcher} +postgres-keeper`).test(line));
}

const postgresFile = (name: string) => join(clone, '.data/postgres', name);

describe.skipIf(process.platform === 'win32')('npm start', () => {
  it.each([
    ['Ctrl-C', (npm: number) => process.kill(-npm, 'SIGINT')],
    ['kill -TERM on npm', (npm: number) => process.kill(npm, 'SIGTERM')],
    ['kill -KILL on npm', (npm: number) => process.kill(npm, 'SIGKILL')],
    ['kill -KILL on the launcher', (_npm: number, launcher: number) => process.kill(launcher, 'SIGKILL')],
    [
      'kill -KILL on the server',
      (_npm: number, _launcher: number, server: number) => process.kill(server, 'SIGKILL'),
    ],
  ])('leaves no server and no PostgreSQL behind after %s', async (how, end) => {
    const { child, ended, closed, output, pid } = await serving(['start']);
    const server = await pid();
    const keeper = Number(await fs.readFile(postgresFile('keeper.pid'), 'utf8'));
    const postgres = Number.parseInt(await fs.readFile(postgresFile('cluster/postmaster.pid'), 'utf8'), 10);
    const all = [server, keeper, postgres, await parentOf(server)];
    expect(all.map(isAlive)).toEqual([true, true, true, true]);
    // Everything was current: nothing to say.
    expect(output()).not.toMatch(/Install|Build/);

    end(child.pid as number, all[3] as number, server);
    await ended;
    await until(
      () => !all.some(isAlive),
      60_000,
      () => `Still there: ${all.filter(isAlive)}\n${output()}`,
    );
    await closed;
    // Drained, not cut off; and told once.
    if (how !== 'kill -KILL on the server') expect(output()).toContain('draining → stopped');
    expect(output()).not.toContain('exiting now');
  });

  it('in production installs nothing, needs no packages, and starts no database of its own', async () => {
    await fs.rename(join(clone, 'node_modules'), join(clone, 'hidden'));
    await fs.rm(join(clone, '.data'), { recursive: true, force: true });
    try {
      const { url, drop } = await createDatabase();
      const run = await serving(['start'], { NODE_ENV: 'production', DATABASE_URL: url });
      run.child.kill('SIGTERM');
      await run.closed;
      await until(async () => (await run.status('/live')) === 0, 60_000);
      expect(run.output()).not.toMatch(/Install|Build/);
      expect(existsSync(join(clone, 'node_modules'))).toBe(false);
      expect(existsSync(postgresFile('.'))).toBe(false);
      await drop();
    } finally {
      await fs.rename(join(clone, 'hidden'), join(clone, 'node_modules'));
    }
  });

  it('twice in one folder shares one PostgreSQL, which stays for the second', async () => {
    const postgres = async () =>
      Number.parseInt(await fs.readFile(postgresFile('cluster/postmaster.pid'), 'utf8'), 10);
    const first = await serving(['start']);
    const shared = await postgres();
    const second = await serving(['start']);
    // A server does not wait for the keeper of its own where PostgreSQL runs already.
    const launcher = await parentOf(await second.pid());
    await until(() => isKept(launcher), 60_000);
    process.kill(await parentOf(await first.pid()), 'SIGTERM');
    await first.ended;
    expect(await second.status('/ready')).toBe(200);
    expect(await postgres()).toBe(shared);
    process.kill(launcher, 'SIGTERM');
    await second.ended;
    await until(() => !isAlive(shared), 60_000);
  });

  it('says what is wrong with the data, and ends with 1', async () => {
    const version = postgresFile('cluster/PG_VERSION');
    const ours = await fs.readFile(version, 'utf8');
    await fs.writeFile(version, '13\n');
    const { closed, output } = npm(['start'], { PORT: String(await freePort()) });
    expect(await closed).toBe(1);
    expect(output()).toContain('PostgreSQL 13 wrote the development database');
    await fs.writeFile(version, ours);
  });

  it("ends with the server's exit code", async () => {
    const { closed, output } = npm(['start'], { NODE_ENV: 'production' });
    expect(await closed).toBe(78);
    expect(output()).toContain('DATABASE_URL');
  });
});

describe.skipIf(process.platform === 'win32')('npm run dev', () => {
  it('starts again when the server changes, and waits for a better change when that breaks it', async () => {
    const { child, ended, output, pid, ready } = await serving(['run', 'dev']);
    const first = await pid();
    const file = join(clone, 'server/platform/process/drain.ts');
    const source = await fs.readFile(file, 'utf8');

    // Editors and version control write beside the file and move the new one over it; so twice.
    for (let last = first, round = 1; round <= 2; round++) {
      await fs.writeFile(`${file}.tmp`, `${source}\nexport const changed = ${round};\n`);
      await fs.rename(`${file}.tmp`, file);
      const restarts = () => output().match(/drain\.ts changed/g)?.length ?? 0;
      await until(() => restarts() === round && !isAlive(last), 60_000, output);
      await ready();
      expect(await pid()).not.toBe(last);
      last = await pid();
    }

    await fs.writeFile(file, `${source}\nexport const broken = ;\n`);
    await until(() => /starts again when a file changes/.test(output()), 60_000, output);
    await fs.writeFile(file, source);
    await ready();
    const last = await pid();

    process.kill(-(child.pid as number), 'SIGINT');
    await ended;
    await until(() => !isAlive(last) && !existsSync(postgresFile('keeper.pid')), 60_000, output);
  });
});

describe('what is current', () => {
  it('a build is, until a source, the lock file or the configuration of the build changes', async () => {
    expect(buildIsCurrent(clone)).toBe(true);
    for (const path of [
      'client/index.html',
      'server/main.ts',
      'contracts/status.ts',
      'drizzle/meta/_journal.json',
      'package-lock.json',
      'vite.config.ts',
    ]) {
      const file = join(clone, path);
      const before = await fs.readFile(file);
      await fs.appendFile(file, '\n');
      expect(buildIsCurrent(clone), path).toBe(false);
      await fs.writeFile(file, before);
      expect(buildIsCurrent(clone), path).toBe(true);
    }
    await fs.writeFile(join(clone, 'server/new.ts'), '');
    expect(buildIsCurrent(clone)).toBe(false);
    await fs.rm(join(clone, 'server/new.ts'));
  });

  it('a build does not read tests, and is looked for where it should lie', async () => {
    const hash = sourceHash(clone);
    await fs.writeFile(join(clone, 'server/new.test.ts'), 'x');
    expect(sourceHash(clone)).toBe(hash);
    await fs.rm(join(clone, 'server/new.test.ts'));
    await fs.rename(join(clone, 'dist/server/main.js'), join(clone, 'dist/server/away.js'));
    expect(buildIsCurrent(clone)).toBe(false);
    await fs.rename(join(clone, 'dist/server/away.js'), join(clone, 'dist/server/main.js'));
  });

  describe('packages', () => {
    const shipped = { version: '1.0.0', integrity: 'sha512-a' };
    const tool = { version: '2.0.0', integrity: 'sha512-b', dev: true };
    const foreign = { version: '3.0.0', optional: true };
    const manifest = { dependencies: { shipped: '1.0.0' }, devDependencies: { tool: '2.0.0' } };
    const lock = (packages: object) => ({ packages: { '': manifest, ...packages } });
    const both = { 'node_modules/shipped': shipped, 'node_modules/tool': tool };
    const wanted = lock({ ...both, 'node_modules/foreign': foreign });

    it.each([
      ['all there', {}, true, true],
      ['without development packages', { installed: lock({ 'node_modules/shipped': shipped }) }, false, true],
      ['none', { installed: undefined }, false, false],
      [
        'an older version',
        { wanted: lock({ ...both, 'node_modules/shipped': { ...shipped, version: '1.0.1' } }) },
        false,
        false,
      ],
      [
        'other content',
        { wanted: lock({ ...both, 'node_modules/tool': { ...tool, integrity: 'sha512-c' } }) },
        false,
        true,
      ],
      ['a package more', { wanted: lock({ ...both, 'node_modules/new': shipped }) }, false, false],
      [
        'package.json asks for more than the lock file',
        { manifest: { ...manifest, dependencies: { shipped: '1.0.0', x: '1' } } },
        false,
        false,
      ],
      ['a folder deleted', { deleted: 'node_modules/shipped' }, false, false],
    ] as [
      string,
      Partial<Record<'wanted' | 'installed' | 'manifest', object>> & { deleted?: string },
      boolean,
      boolean,
    ][])('%s', async (_what, changes, forAll, forShipped) => {
      const folder = await fs.mkdtemp(join(clone, 'packages-'));
      const files = { wanted, installed: lock(both), manifest, ...changes };
      for (const path of Object.keys(both)) await fs.mkdir(join(folder, path), { recursive: true });
      if (changes.deleted) await fs.rm(join(folder, changes.deleted), { recursive: true });
      await fs.writeFile(join(folder, 'package.json'), JSON.stringify(files.manifest));
      await fs.writeFile(join(folder, 'package-lock.json'), JSON.stringify(files.wanted));
      if (files.installed)
        await fs.writeFile(join(folder, 'node_modules/.package-lock.json'), JSON.stringify(files.installed));
      expect(packagesAreCurrent(folder, { shippedOnly: false })).toBe(forAll);
      expect(packagesAreCurrent(folder, { shippedOnly: true })).toBe(forShipped);
    });

    it('those of this clone are', () => {
      expect(packagesAreCurrent(ROOT, { shippedOnly: false })).toBe(true);
    });
  });
});

it('names its tasks when asked for one that there is not', async () => {
  const { code, output } = await runCommand(process.execPath, [join(ROOT, 'scripts/run.mjs'), 'strat']);
  expect(output).toMatch(/no task 'strat'.*start, dev, build, test/);
  expect(code).toBe(1);
});
