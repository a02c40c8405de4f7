/** Resident memory at rest and after minutes of peak load, compared with bare Fastify. */
import { join } from 'node:path';
import { CONTENDERS, type Contender, load, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { keep, print, type Table } from './results.ts';
import { CONNECTIONS } from './rounds.ts';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 600);
/** They take turns of this length, so that both have been there for as long. */
const TURN_SECONDS = 30;
const PATH = '/api/status';

export async function memorySuite(): Promise<void> {
  await withDatabase('memory', async (databaseUrl) => {
    const bare = {
      name: 'bare Fastify',
      command: [process.execPath, join(CONTENDERS, 'bare-fastify.mjs')],
      env: { NODE_ENV: 'production' },
    };
    const running: Contender[] = [];
    const found: { minutes: number; resident: number[] }[] = [];
    try {
      for (const entry of [bare, { ...flightline(databaseUrl), name: 'Flightline, everything on' }]) {
        running.push(await startContender(entry));
      }
      const look = (seconds: number) =>
        found.push({ minutes: seconds / 60, resident: running.map((one) => one.residentMiB()) });
      look(0);
      for (let seconds = 0; seconds < SECONDS; seconds += TURN_SECONDS) {
        for (const contender of running) {
          await load(contender, { path: PATH, connections: CONNECTIONS, seconds: TURN_SECONDS });
        }
        look(seconds + TURN_SECONDS);
      }
    } finally {
      for (const contender of running) await contender.end();
    }
    const shown = found.filter(({ minutes }) => [0, 0.5, 1, 2, 5].includes(minutes) || minutes % 10 === 0);
    const table: Table = [
      ['minutes at peak', ...shown.map(({ minutes }) => String(minutes))],
      ...running.map(({ name }, i) => [
        `${name}, MiB`,
        ...shown.map(({ resident }) => (resident[i] ?? Number.NaN).toFixed(0)),
      ]),
      [
        'ratio',
        ...shown.map(({ resident: [other = Number.NaN, own = Number.NaN] }) => (own / other).toFixed(2)),
      ],
    ];
    print(table);
    await keep('memory', table, found);
  });
}
