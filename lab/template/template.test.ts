/**
 * Does what the README says to make the template one's own, in copies of this repository, and sees that everything still
 * holds. The steps are read from the README itself, so that the two cannot part.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { freePort, ROOT, startServer } from '../../tests/support/server.ts';
import { copyFiles, environment, run } from '../../tests/support/working-copy.ts';

const README = await readFile(join(ROOT, 'README.md'), 'utf8');
const RECIPES = await readFile(join(ROOT, 'docs', 'recipes.md'), 'utf8');
/** With `npm run test:template -- --all`. */
const ALL = process.env.TEMPLATE_ALL !== undefined;
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

  it.runIf(ALL)('passes its other suites', { timeout: 3_600_000 }, async () => {
    for (const suite of ['packaging', 'reliability']) await run(copy, `npm run test:${suite}`);
  });

  it('loses the sample', async () => {
    await follow(copy, 'delete the sample');
    await change(copy, README, 'Delete the sample');
    await follow(copy, 'delete its table before a deployment');
  });

  it('starts without it', async () => {
    await using app = await npmStart(copy);
    expect(await app.status('/api/notes')).toBe(404);
    expect(await app.text('/')).toContain('My app');
  });

  it('says which suites are gone', async () => {
    for (const suite of ['template', 'packaging', 'reliability'])
      expect(await run(copy, `npm run test:${suite}`)).toContain(`tests/${suite} was deleted`);
  });

  it.each(headings(README).filter((heading) => !['Rename it', 'Delete the sample'].includes(heading)))(
    'README: %s',
    (heading) => change(copy, README, heading),
  );

  it.each(headings(RECIPES))('recipe: %s', (heading) => change(copy, RECIPES, heading));

  for (const command of steps('tidy')) it(command, { timeout: 1_200_000 }, () => run(copy, command));

  it('starts with what was added', async () => {
    await using app = await npmStart(copy);
    expect(await app.json('/api/links')).toEqual([]);
    expect((await app.json('/health')).checks).toHaveProperty('payments');
    expect((await app.json('/api/status')).startup).toContainEqual(
      expect.objectContaining({ step: 'migrations', note: '1 applied' }),
    );
  });

  it('drains although a stream of events is open', async () => {
    const { url } = await createDatabase('empty');
    const main = join(copy, 'dist/server/main.js');
    await using server = await startServer({ DATABASE_URL: url }, { main });
    await server.ready();
    const stream = await fetch(`${server.url}/api/clock`);
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    let heard = '';
    while (!heard.includes('event: tick')) heard += new TextDecoder().decode((await reader.read()).value);
    expect(await server.end()).toBe(0);
    while (!(await reader.read()).done);
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
    await change(copy, README, 'Delete the sample');
    await follow(copy, 'delete its table after a deployment');
    // What is tested needs no second time: it differs from the other copy by its migrations alone.
    for (const command of steps('tidy').filter((step) => !step.includes('test'))) await run(copy, command);
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

/** The parts of a page that hold something to do. */
function headings(page: string): string[] {
  return page
    .split(/^##+ /m)
    .slice(1)
    .filter((part) => /^```diff\n|^<!-- (file|steps)/m.test(part))
    .map((part) => part.slice(0, part.indexOf('\n')));
}

/** Writes the files, makes the changes and runs the unnamed steps of one part of a page, in their order. */
async function change(copy: string, page: string, heading: string): Promise<void> {
  const part = page.split(/^##+ /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
  const blocks = /^(?:<!-- (file|steps) -->\n(?:`(.+)`\n\n)?)?```(\w+)\n([\s\S]*?)\n```$/gm;
  for (const [, marker, path = '', kind, text = ''] of part.matchAll(blocks)) {
    if (marker === 'file') {
      await mkdir(dirname(join(copy, path)), { recursive: true });
      await writeFile(join(copy, path), `${text}\n`);
    } else if (marker === 'steps') {
      for (const command of text.split('\n')) await run(copy, command);
    } else if (kind === 'diff') {
      const [first = '', ...lines] = text.split('\n');
      const file = join(copy, first.replace('--- ', ''));
      await writeFile(file, apply(await readFile(file, 'utf8'), lines, `${heading}, ${first}`));
    }
  }
}

/**
 * @param difference Lines to find (` `), to take out (`-`) and to put in (`+`), in the order of the file, which may have
 *   others between them; `-  …` takes out all up to the next one. What is put in before the first line of its kind stands
 *   right before that line.
 * @throws Error naming the line that is not there.
 */
function apply(text: string, difference: string[], what: string): string {
  const lines = text.split('\n');
  let at = 0;
  let open = false;
  let added: string[] = [];
  const find = (line: string) => {
    const found = lines.indexOf(line, at);
    if (found < 0) throw new Error(`The file has no such line for ${what}:\n${line}`);
    return found;
  };
  for (const [index, change] of difference.entries()) {
    const line = change.slice(1);
    if (line.trim() === '…') {
      open = true;
    } else if (change.startsWith('+')) {
      // Before anything was found, it belongs right before what is found next.
      if (difference.slice(0, index).every((one) => one.startsWith('+'))) added.push(line);
      else lines.splice(at++, 0, line);
    } else {
      const found = find(line);
      const from = open ? at : found;
      if (change.startsWith('-')) {
        lines.splice(from, found - from + 1, ...added);
        at = from + added.length;
      } else {
        lines.splice(found, 0, ...added);
        at = found + added.length + 1;
      }
      added = [];
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
