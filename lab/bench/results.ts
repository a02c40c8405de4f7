import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { arch, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../tests/support/server.ts';

const PAGE = join(ROOT, 'docs/performance.md');

/** The head and the rows of a table. */
export type Table = readonly [head: readonly string[], ...rows: readonly (readonly string[])[]];

/** Prints a table with aligned columns. */
export function print(table: Table): void {
  const widths = table[0].map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  for (const row of table) {
    console.log(
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('   '),
    );
  }
}

/**
 * Stores the result of a suite in `lab/bench/results/<date>-<suite>.json`, and in the table between the suite's markers in
 * `docs/performance.md` (`<!-- bench:json -->` to `<!-- /bench -->`).
 *
 * @param figures All measurements.
 */
export async function keep(suite: string, table: Table, figures: object): Promise<void> {
  const folder = join(ROOT, 'lab/bench/results');
  const when = new Date().toISOString();
  const where = {
    node: process.versions.node,
    system: `${platform()} ${arch()}`,
    processor: cpus()[0]?.model,
  };
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, `${when.replace(/:\d\d\..*/, '').replace(':', '')}-${suite}.json`),
    `${JSON.stringify({ suite, when, ...where, figures }, undefined, 2)}\n`,
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const [head, ...rows] = table;
  const text = line(head) + line(head.map(() => '---')) + rows.map(line).join('');
  const page = await readFile(PAGE, 'utf8');
  const begin = `<!-- bench:${suite} -->\n`;
  const from = page.indexOf(begin);
  const to = page.indexOf('<!-- /bench -->', from);
  if (from === -1 || to === -1) throw new Error(`docs/performance.md has no place for '${suite}': ${begin}`);
  await writeFile(PAGE, page.slice(0, from + begin.length) + text + page.slice(to));
}
