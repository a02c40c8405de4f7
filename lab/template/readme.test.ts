/** Does what the README says to make the template one's own, and every recipe after it, and sees that everything holds. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { startServer } from '../../tests/support/server.ts';
import { addUser, user } from '../../tests/support/user.ts';
import { run } from '../../tests/support/working-copy.ts';
import { ALL, commit, copyRepository, npmStart } from './copies.ts';
import { change, follow, headings, README, RECIPES, steps } from './pages.ts';

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
    expect(await app.status('/api/notes')).not.toBe(404);
  });

  it('loses the sample', async () => {
    await commit(copy);
    await follow(copy, 'delete the sample');
    expect(JSON.parse(await readFile(join(copy, '.template.json'), 'utf8')).stripped).toMatchObject({
      notes: expect.any(String),
      lab: expect.any(String),
    });
  });

  it.each(headings(README).filter((heading) => !['Rename it', 'Delete the sample'].includes(heading)))(
    'README: %s',
    (heading) => change(copy, README, heading),
  );

  it.each(headings(RECIPES))('recipe: %s', (heading) => change(copy, RECIPES, heading));

  it('passes the checks', () => run(copy, 'npm run check'));

  it('starts with what was added', async () => {
    await using app = await npmStart(copy);
    expect(await app.status('/api/notes')).toBe(404);
    expect(await app.json('/api/links')).toEqual([]);
    expect((await app.json('/health')).checks).toHaveProperty('payments');
    const { startup } = await app.json('/api/status');
    const { length } = await readdir(join(copy, 'drizzle')).then((files) =>
      files.filter((file) => file.endsWith('.sql')),
    );
    expect(startup).toContainEqual(
      expect.objectContaining({ step: 'migrations', note: `${length} applied` }),
    );
  });

  it('passes the tests that were added', { timeout: 3_600_000 }, async () => {
    await run(copy, `git add -A`);
    const added = await run(copy, `git diff --cached --name-only --diff-filter=AM HEAD -- '*.test.ts'`);
    expect(added).toContain('links.test.ts');
    await run(copy, ALL ? 'npm test' : `npm test -- ${added.trim().replaceAll('\n', ' ')}`);
    if (ALL) await run(copy, 'npm run test:e2e');
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
    await addUser(url);
    const created = await fetch(`${server.url}/api/notes`, {
      method: 'POST',
      headers: { ...user.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Kept until the table goes' }),
    });
    expect(created.status).toBe(201);
    expect(await server.end()).toBe(0);
  });

  it('loses the sample, and not yet its table', async () => {
    await follow(copy, 'delete the sample after a deployment');
    for (const command of steps('see').filter((step) => !step.includes('test'))) await run(copy, command);
    await using server = await startServer({ DATABASE_URL: url }, { main });
    await server.ready();
    expect(await notesTable(url)).toBe('notes');
    expect((await fetch(`${server.url}/api/notes`)).status).toBe(404);
    expect(await server.end()).toBe(0);
  });

  it('drops the table with a later release', async () => {
    await commit(copy);
    await follow(copy, 'drop its table');
    for (const command of steps('see').filter((step) => !step.includes('test'))) await run(copy, command);
    await using server = await startServer({ DATABASE_URL: url }, { main });
    await server.ready();
    expect(await notesTable(url)).toBeNull();
    expect(await server.end()).toBe(0);
  });
});

async function notesTable(url: string): Promise<string | null> {
  const { rows } = await query(url, "select to_regclass('public.notes')::text as name");
  return rows[0].name;
}
