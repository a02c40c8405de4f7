/** What README.md and docs/recipes.md say to do, read from the pages themselves, so that code and page cannot part. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ROOT } from '../../tests/support/server.ts';
import { run } from '../../tests/support/working-copy.ts';

export const README = await readFile(join(ROOT, 'README.md'), 'utf8');
export const RECIPES = await readFile(join(ROOT, 'docs', 'recipes.md'), 'utf8');

/** The commands in the README's block of this name. */
export function steps(name: string): string[] {
  const block = new RegExp(`<!-- steps: ${name} -->\n\`\`\`sh\n([^\`]+)\n\`\`\``).exec(README)?.[1];
  if (block === undefined) throw new Error(`README.md has no block of steps '${name}'`);
  return block.split('\n');
}

export async function follow(copy: string, name: string): Promise<void> {
  for (const step of steps(name)) await run(copy, step);
}

/** The parts of a page that hold something to do. */
export function headings(page: string): string[] {
  return page
    .split(/^##+ /m)
    .slice(1)
    .filter((part) => /^```diff\n|^<!-- (file|steps)/m.test(part))
    .map((part) => part.slice(0, part.indexOf('\n')));
}

/** Writes the files, makes the changes and runs the unnamed steps of one part of a page, in their order. */
export async function change(copy: string, page: string, heading: string): Promise<void> {
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
 *   others between them. What is put in before the first line of its kind stands right before that line.
 * @throws Error naming the line that is not there.
 */
function apply(text: string, difference: string[], what: string): string {
  const lines = text.split('\n');
  const first = difference.findIndex((line) => !line.startsWith('+'));
  let before = difference.slice(0, first).map((line) => line.slice(1));
  let at = 0;
  for (const change of difference.slice(first)) {
    const line = change.slice(1);
    if (change.startsWith('+')) {
      lines.splice(at++, 0, line);
      continue;
    }
    const found = lines.indexOf(line, at);
    if (found < 0) throw new Error(`The file has no such line for ${what}:\n${line}`);
    const rest = change.startsWith('-') ? [] : [line];
    lines.splice(found, 1, ...before, ...rest);
    at = found + before.length + rest.length;
    before = [];
  }
  return lines.join('\n');
}
