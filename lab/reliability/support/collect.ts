import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { arch, cpus, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import startPostgres from '../../../tests/support/global-setup.ts';
import { ROOT } from '../../../tests/support/server.ts';
import { ROWS, type Row } from './rows.ts';
import { type Figure, SHORT, SLACK } from './suite.ts';

const DOCUMENT = join(ROOT, 'docs', 'reliability.md');
const [BEGIN, END] = ['<!-- figures: begin -->', '<!-- figures: end -->'];

/** Collects the figures of a run, prints them as a table, and writes that of a full run into docs/reliability.md. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Both projects of this suite share one setup.
  const root = project.vitest.getRootProject();
  if (root.getProvidedContext().figures) return async () => {};
  const folder = await mkdtemp(join(tmpdir(), 'figures-'));
  const file = join(folder, 'figures.jsonl');
  await writeFile(file, '');
  root.provide('figures', file);
  const stopPostgres = await startPostgres(root);
  return async () => {
    await stopPostgres();
    const figures: Figure[] = (await readFile(file, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    await rm(folder, { recursive: true });
    const table = tableOf(figures);
    console.log(`\n${table}`);
    const whole = (Object.keys(ROWS) as Row[]).every(
      (row) => table.includes(ROWS[row][0]) && measured(figures, row),
    );
    if (SHORT || SLACK !== 1 || !whole) {
      console.log(
        'docs/reliability.md stays as it is: only a whole, full run without slack is written down.',
      );
      return;
    }
    const document = await readFile(DOCUMENT, 'utf8');
    const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)];
    if (before === -1 || after === -1) throw new Error(`docs/reliability.md has no '${BEGIN}' and '${END}'.`);
    const text = `${BEGIN}\n\n${conditions()}\n\n${table}\n`;
    await writeFile(DOCUMENT, document.slice(0, before) + text + document.slice(after));
  };
}

function measured(figures: readonly Figure[], row: Row): boolean {
  return row === 'ledger' || figures.some((figure) => 'row' in figure && figure.row === row);
}

function tableOf(figures: readonly Figure[]): string {
  const lines = (Object.keys(ROWS) as Row[]).map((row) => {
    const own = figures.flatMap((figure) => ('row' in figure && figure.row === row ? [figure.figure] : []));
    const found = row === 'ledger' ? [sumOf(figures)] : own;
    const [fault, mustHold] = ROWS[row];
    return `| ${fault} | ${mustHold} | ${found.join('; ') || 'not measured in this run'} |`;
  });
  return ['| fault | must hold | measured |', '| --- | --- | --- |', ...lines, ''].join('\n');
}

function sumOf(figures: readonly Figure[]): string {
  const ledgers = figures.filter((figure) => 'acknowledged' in figure);
  const acknowledged = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0);
  const missing = ledgers.reduce((sum, ledger) => sum + ledger.missing, 0);
  return `${acknowledged.toLocaleString('en')} acknowledged, ${missing} missing`;
}

function conditions(): string {
  const day = new Date().toISOString().slice(0, 10);
  const memory = Math.round(totalmem() / 2 ** 30);
  return `Measured on ${day}: ${cpus().length} cores, ${memory} GiB, ${type()} ${release().split('-')[0]} ${arch()}, Node ${process.versions.node}; servers, database, load balancer and load on the same machine.`;
}
