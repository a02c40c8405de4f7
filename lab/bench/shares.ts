/**
 * The cost of each plugin: Fastify with one more plugin in each row, in the order of the pipeline.
 *
 * The system's share (reading and writing a socket) is the same in each row and would hide a tenth of a microsecond, so requests come
 * over streams in memory. Each row is a separate process. Its best batches count, because disturbances only make a batch slower.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { CONTENDERS, installContenders, leaveServerCore, onServerCore } from './contender.ts';
import { keep, print, type Table } from './results.ts';
import { middle } from './rounds.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);

export async function sharesSuite(): Promise<void> {
  installContenders();
  leaveServerCore();
  const { SHARES } = await import('./contenders/one-more-plugin.ts');
  const found = new Map<string, number[]>(SHARES.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, { name }] of SHARES.entries()) {
      const program = [process.execPath, join(CONTENDERS, 'one-more-plugin.ts'), String(at)];
      const [command = '', ...args] = onServerCore(program);
      const { stderr } = spawnSync(command, args, {
        encoding: 'utf8',
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const us = Number(/^([\d.]+) µs$/m.exec(stderr)?.[1]);
      if (!(us > 0)) throw new Error(`'${name}' was not measured:\n${stderr}`);
      found.get(name)?.push(us);
    }
  }
  let before = Number.NaN;
  const table: Table = [
    ['from here on', 'µs a request, without the system', 'this one adds', 'why it is worth it'],
    ...SHARES.map(({ name, why }) => {
      // The best of all rounds: see above.
      const us = Math.min(...(found.get(name) ?? []));
      const added = us - before;
      before = us;
      return [name, us.toFixed(2), Number.isNaN(added) ? '' : added.toFixed(2), why];
    }),
  ];
  print(table);
  await keep(
    'shares',
    table,
    Object.fromEntries([...found].map(([name, all]) => [name, { all, ...middle(all) }])),
  );
}
