/** Compares the percentiles that the server reports with those that a client measures. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessStatus } from '../../contracts/operations/process.ts';
import { load, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { openLoop, quantile } from './open-loop.ts';
import { keep, print, type Table } from './results.ts';

const PATH = '/api/status';
const SHARE_OF_PEAK = 0.3;
const SECONDS = 20;
/** Figures cover the last minute in steps of 5 s. After this time they do not include the warm-up. In milliseconds. */
const FORGOTTEN_MS = 66_000;

export async function percentilesSuite(): Promise<void> {
  await withDatabase('percentiles', async (databaseUrl) => {
    const ours = flightline(databaseUrl);
    const key = randomBytes(32).toString('base64url');
    const env = { ...ours.env, INTERNAL_API_KEY: key };
    const contender = await startContender({ ...ours, name: 'Flightline', env });
    try {
      const { rate } = await load(contender, { path: PATH, connections: 64, seconds: 3 });
      await sleep(FORGOTTEN_MS);
      const { sent, times } = await openLoop(contender.port, PATH, rate * SHARE_OF_PEAK, SECONDS, 64);
      const answer = await fetch(`http://127.0.0.1:${contender.port}/api/monitoring/metrics`, {
        headers: { authorization: `Bearer ${key}` },
      });
      const told = (await answer.json()) as ProcessStatus;
      const measured = [...times.values()].flat();
      const rows = (['p50Ms', 'p95Ms', 'p99Ms'] as const).map((name) => ({
        name: name.slice(0, 3),
        client: quantile(measured, Number(name.slice(1, 3)) / 100),
        server: told[name] ?? Number.NaN,
      }));
      const table: Table = [
        [`${sent} requests at ${SHARE_OF_PEAK * 100} % of the peak`, 'client, ms', 'server, ms'],
        ...rows.map(({ name, client, server }) => [name, client.toFixed(2), server.toFixed(2)]),
      ];
      print(table);
      await keep('percentiles', table, { sent, rows });
    } finally {
      await contender.end();
    }
  });
}
