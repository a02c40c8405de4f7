/** Copies of this clone, to follow the documents in. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { copyFile, cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { freePort, ROOT } from '../../tests/support/server.ts';
import { copyFiles, environment, run } from '../../tests/support/working-copy.ts';

/** With `npm run test:template -- --all`. */
export const ALL = process.env.TEMPLATE_ALL !== undefined;

const copies: string[] = [];

afterAll(async () => {
  for (const copy of copies) await rm(copy, { recursive: true, force: true });
});

/** @returns The working tree in a repository of its own, with its packages. It is removed after the tests of the file. */
export async function copyRepository(): Promise<string> {
  const copy = await copyFiles();
  copies.push(copy);
  await linkPackages(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  await run(copy, 'git init -q');
  // Nobody's name is known on a machine of continuous integration.
  await run(copy, 'git config user.name Adopter');
  await run(copy, 'git config user.email adopter@example.com');
  await commit(copy);
  return copy;
}

export const commit = (copy: string) => run(copy, 'git add -A && git commit -q -m Step');

const HIDDEN = '.package-lock.json';

/** Hard links where the system has them; else a copy, which costs no space where the file system can share blocks. */
async function linkPackages(from: string, to: string): Promise<void> {
  if (process.platform === 'linux') {
    const [code] = await once(spawn('cp', ['-al', from, to], { stdio: 'ignore' }), 'close');
    // npm writes this file in place.
    if (code === 0) return unlink(join(from, HIDDEN), join(to, HIDDEN));
    await rm(to, { recursive: true, force: true });
  }
  await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
}

async function unlink(from: string, to: string): Promise<void> {
  await rm(to);
  await copyFile(from, to);
}

export interface Started extends AsyncDisposable {
  status(path: string): Promise<number>;
  text(path: string): Promise<string>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says
  json(path: string): Promise<any>;
}

/** `npm start`, up to `/ready`. Ends as a person ends it, and waits until nothing of it is left. */
export async function npmStart(copy: string): Promise<Started> {
  const port = await freePort();
  const npm = process.env.npm_execpath;
  const [program, ...args] = npm ? [process.execPath, npm, 'start'] : ['npm', 'start'];
  const child: ChildProcess = spawn(program as string, args, {
    cwd: copy,
    env: { ...environment(), PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const closed = once(child, 'close');
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { accept: '*/*, text/html' } });
  const app: Started = {
    status: async (path) => (await ask(path)).status,
    text: async (path) => (await ask(path)).text(),
    json: async (path) => (await ask(path)).json(),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
    },
  };
  for (const limit = Date.now() + 180_000; ; await sleep(50)) {
    const status = await app.status('/ready').catch(() => 0);
    if (status === 200) return app;
    if (Date.now() > limit || child.exitCode !== null) {
      await app[Symbol.asyncDispose]();
      throw new Error(`\`npm start\` did not become ready. It said:\n${output}`);
    }
  }
}
