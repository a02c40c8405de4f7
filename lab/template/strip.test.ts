/** Strips each part, and all of them, in copies of this clone: what is left holds. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readParts } from '../../scripts/strip/parts.ts';
import { ROOT } from '../../tests/support/server.ts';
import { run } from '../../tests/support/working-copy.ts';
import { ALL, copyRepository, npmStart } from './copies.ts';

const PARTS = readParts(ROOT);

describe('all parts', () => {
  let copy: string;

  it('are stripped, and nothing names them any more', { timeout: 600_000 }, async () => {
    copy = await copyRepository();
    await run(copy, 'npm run strip -- --all');
    expect(readParts(copy)).toEqual([]);
    const { stripped } = JSON.parse(await readFile(join(copy, '.template.json'), 'utf8'));
    expect(Object.keys(stripped).sort()).toEqual(PARTS.map(({ name }) => name).sort());
    expect(await readFile(join(copy, 'server/app.ts'), 'utf8')).not.toMatch(/^ {6}\w/m);
    expect(deadLinks(copy)).toEqual([]);
    await run(copy, 'npm run check');
  });

  it('leave a server that starts and shows a home screen', async () => {
    await using app = await npmStart(copy);
    // Of its own: a busy machine or a full disk degrades the whole.
    expect((await app.json('/health')).checks.database.status).toBe('passing');
    expect(await app.text('/')).toContain('<title>');
    await run(copy, `npm run test:e2e${ALL ? '' : ' -- tests/browser/home.e2e.ts'}`);
  });

  it('leave tests that pass', { timeout: 3_600_000 }, async () => {
    await run(copy, 'npm test');
  });
});

describe.each(PARTS)('$name', ({ name, files = [], lines = {}, sections = {} }) => {
  it('has a manifest that names what is there', () => {
    for (const file of files) expect(globSync(file, { cwd: ROOT }), file).not.toEqual([]);
    for (const [file, texts] of [...Object.entries(lines), ...Object.entries(sections)]) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      for (const one of texts) expect(text, file).toContain(one);
    }
  });

  it('can be stripped alone', { timeout: 3_600_000 }, async () => {
    const copy = await copyRepository();
    await run(copy, `npm run strip -- ${name} --with-dependents --open`);
    expect(deadLinks(copy)).toEqual([]);
    await run(copy, 'npm run check');
    await run(copy, 'npm run build');
    if (ALL) await run(copy, 'npm test');
  });
});

/** Links of the documents to files that are not there. */
function deadLinks(root: string): string[] {
  // The change log tells what was.
  return globSync(['{README,CONTRIBUTING,SECURITY}.md', '{docs,server,client,lab,deploy}/**/*.md'], {
    cwd: root,
  }).flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !existsSync(join(root, dirname(page), link)))
      .map((link) => `${page}: ${link}`),
  );
}
