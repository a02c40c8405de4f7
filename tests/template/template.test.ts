/**
 * Does what the README says to make the template one's own, in copies of this repository, and sees that everything still
 * holds. The steps are read from the README itself, so that the two cannot part.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, query } from '../support/postgres.ts';
import { freePort, ROOT, startServer } from '../support/server.ts';
import { copyFiles, environment, run } from '../support/working-copy.ts';

const README = await readFile(join(ROOT, 'README.md'), 'utf8');
const copies: string[] = [];

afterAll(async () => {
  for (const copy of copies) await rm(copy, { recursive: true, force: true });
});

describe('before a first deployment', () => {
  let copy: string;
  beforeAll(async () => {
    copy = await copyRepository();
  });

  it('has its name in one place', async () => {
    await follow(copy, 'rename');
    await using app = await npmStart(copy);
    expect((await app.json('/api/status')).name).toBe('my-app');
    expect(await app.text('/')).toMatch(/<title>(.* · )?My app<\/title>/);
    // The development database has recorded the sample's migration now.
    expect(await app.json('/api/notes')).toMatchObject({ items: [] });
  });

  it('loses the sample', async () => {
    await follow(copy, 'delete the sample');
    await takeOutLines(copy);
    await follow(copy, 'delete its table before a deployment');
  });

  for (const command of [...steps('tidy'), 'npm run build']) {
    it(command, () => run(copy, command));
  }

  it('starts without it', async () => {
    await using app = await npmStart(copy);
    expect(await app.status('/api/notes')).toBe(404);
    expect(await app.text('/')).toContain('My app');
  });

  it('takes a table of its own', async () => {
    const folder = join(copy, 'server/features/visits');
    await mkdir(folder);
    await writeFile(
      join(folder, 'table.ts'),
      `import { pgTable, text } from 'drizzle-orm/pg-core';\n\nexport const visits = pgTable('visits', { page: text().notNull() });\n`,
    );
    await run(copy, 'npm run db:generate -- --name create_visits');
    await run(copy, 'npm run check');
    await using app = await npmStart(copy);
    expect((await app.json('/api/status')).startup).toContainEqual(
      expect.objectContaining({ step: 'migrations', note: '1 applied' }),
    );
  });
});

describe('after a first deployment', () => {
  let copy: string;
  let main: string;
  let url: string;
  beforeAll(async () => {
    copy = await copyRepository();
    main = join(copy, 'dist/server/main.js');
  });

  it('is deployed with the sample', async () => {
    ({ url } = await createDatabase('empty'));
    await run(copy, 'npm run build');
    await using server = await startServer({ DATABASE_URL: url }, { main });
    await server.ready();
    const created = await fetch(`${server.url}/api/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Kept until the table goes' }),
    });
    expect(created.status).toBe(201);
    expect(await server.end()).toBe(0);
  });

  it('loses the sample', async () => {
    await follow(copy, 'delete the sample');
    await takeOutLines(copy);
    await follow(copy, 'delete its table after a deployment');
    // What is tested needs no second time: it differs from the other copy by its migrations alone.
    for (const command of steps('tidy').filter((step) => step !== 'npm test')) await run(copy, command);
    await run(copy, 'npm run build');
  });

  it('drops the table with its next start', async () => {
    expect(await tableOf(url)).toBe('notes');
    await using server = await startServer({ DATABASE_URL: url }, { main });
    await server.ready();
    expect(await tableOf(url)).toBeNull();
    expect((await fetch(`${server.url}/api/notes`)).status).toBe(404);
    expect(await server.end()).toBe(0);
  });
});

async function tableOf(url: string): Promise<string | null> {
  const { rows } = await query(url, "select to_regclass('public.notes')::text as name");
  return rows[0].name;
}

/** The working tree in a repository of its own, with its packages. */
async function copyRepository(): Promise<string> {
  const copy = await copyFiles();
  copies.push(copy);
  await linkPackages(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  await run(copy, 'git init -q');
  await run(copy, 'git add -A');
  await run(copy, 'git -c user.name=Someone -c user.email=someone@example.com commit -q -m Begin');
  return copy;
}

/** Hard links where the system has them; else a copy, which costs no space where the file system can share blocks. */
async function linkPackages(from: string, to: string): Promise<void> {
  if (process.platform === 'linux') {
    const [code] = await once(spawn('cp', ['-al', from, to], { stdio: 'ignore' }), 'close');
    if (code === 0) return;
    await rm(to, { recursive: true, force: true });
  }
  await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
}

/** The commands in the README's block of this name. */
function steps(name: string): string[] {
  const block = new RegExp(`<!-- steps: ${name} -->\n\`\`\`sh\n([^\`]+)\n\`\`\``).exec(README)?.[1];
  if (block === undefined) throw new Error(`README.md has no block of steps '${name}'`);
  return block.split('\n');
}

async function follow(copy: string, name: string): Promise<void> {
  for (const step of steps(name)) await run(copy, step);
}

/** Does what the README's blocks of differences say. */
async function takeOutLines(copy: string): Promise<void> {
  const blocks = [...README.matchAll(/```diff\n--- (\S+)\n([^`]+)\n```/g)];
  expect(blocks.map(([, path]) => path)).toEqual(['server/app.ts', 'client/src/router.tsx']);
  for (const [, path = '', difference = ''] of blocks) {
    const file = join(copy, path);
    await writeFile(file, apply(await readFile(file, 'utf8'), difference.split('\n'), path));
  }
}

/**
 * @param difference Lines to take out (`-`), each to be found after the one before it; `-  …` stands for all up to the
 *   next one. A `+` line takes the place of the line before it.
 * @throws Error naming the line that is not there.
 */
function apply(text: string, difference: string[], path: string): string {
  const lines = text.split('\n');
  let at = 0;
  let open = false;
  for (const change of difference) {
    const line = change.slice(1);
    if (line.trim() === '…') {
      open = true;
    } else if (change.startsWith('+')) {
      lines.splice(at, 0, line);
    } else {
      const found = lines.indexOf(line, at);
      if (found < 0) throw new Error(`README.md takes a line out of ${path} that it does not have:\n${line}`);
      const from = open ? at : found;
      lines.splice(from, found - from + 1);
      at = from;
      open = false;
    }
  }
  return lines.join('\n');
}

interface Started extends AsyncDisposable {
  status(path: string): Promise<number>;
  text(path: string): Promise<string>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says
  json(path: string): Promise<any>;
}

/** `npm start`, up to `/ready`. Ends as a person ends it, and waits until nothing of it is left. */
async function npmStart(copy: string): Promise<Started> {
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
  for (const limit = Date.now() + 60_000; ; await sleep(50)) {
    const status = await app.status('/ready').catch(() => 0);
    if (status === 200) return app;
    if (Date.now() > limit || child.exitCode !== null) {
      await app[Symbol.asyncDispose]();
      throw new Error(`\`npm start\` did not become ready. It said:\n${output}`);
    }
  }
}
