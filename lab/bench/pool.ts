/**
 * The size of the pool: a page of the sample's list with pools of several sizes, with a local database, and with one as distant as
 * another availability zone.
 */
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { type Load, load, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { keep, print, type Table } from './results.ts';
import { middle, rates, times } from './rounds.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2);
/** So many clients keep every connection busy, and the queue for them short: a long one would be refused. */
const clientsOf = (size: number) => Math.max(16, 2 * size);
const PATH = '/api/notes?limit=20';
const SIZES = [1, 2, 4, 10, 20, 50];
/** For each way. */
const AWAY_MS = 1;

export async function poolSuite(): Promise<void> {
  await withDatabase('pool', async (databaseUrl) => {
    const ours = flightline(databaseUrl);
    const away = new URL(databaseUrl);
    const target = { host: away.hostname, port: Number(away.port) };
    const proxy = await TcpProxy.start(target, undefined, AWAY_MS);
    away.port = String(proxy.port);
    const places = { beside: databaseUrl, away: away.href };
    const found = new Map<string, Load[]>();
    try {
      for (let round = 0; round < ROUNDS; round++) {
        for (const size of SIZES) {
          for (const [place, url] of Object.entries(places)) {
            const name = `${place} ${size}`;
            const env = { ...ours.env, DATABASE_URL: url, DB_POOL_SIZE: String(size), LOG_LEVEL: 'warn' };
            // Anew each time: all of them at once would hold more connections than PostgreSQL has.
            const contender = await startContender({ ...ours, name, env });
            const options = { path: PATH, connections: clientsOf(size) };
            // While its connections are being opened, some are refused.
            await load(contender, { ...options, seconds: 1 }).catch(() => {});
            const loads = found.get(name) ?? [];
            loads.push(await load(contender, { ...options, seconds: SECONDS }));
            found.set(name, loads);
            await contender.end();
          }
        }
      }
    } finally {
      await proxy.stop();
    }
    const row = (what: string, figures: (loads?: Load[]) => number[], place: keyof typeof places) => [
      what,
      ...SIZES.map((size) => middle(figures(found.get(`${place} ${size}`))).median.toFixed(0)),
    ];
    const table: Table = [
      ['connections to the database', ...SIZES.map(String)],
      row('database beside it, requests/s', rates, 'beside'),
      row('CPU µs a request', times, 'beside'),
      row(`database ${2 * AWAY_MS} ms away and back, requests/s`, rates, 'away'),
      row('CPU µs a request', times, 'away'),
    ];
    print(table);
    await keep('pool', table, Object.fromEntries(found));
  });
}
