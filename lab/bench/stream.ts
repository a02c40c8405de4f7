/**
 * The cost of open operations screens: processor time per second, and bytes per screen.
 */
import { randomBytes } from 'node:crypto';
import { type ClientRequest, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Contender, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { openLoop, quantile } from './open-loop.ts';
import { keep, print, type Table } from './results.ts';

/** The last is as many as the server lets in. */
const READERS = [0, 1, 10, 100, 1_000];
const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const REQUESTS_PER_SECOND = 500;
const KEY = randomBytes(32).toString('base64url');

export async function streamSuite(): Promise<void> {
  await withDatabase('stream', async (databaseUrl) => {
    const ours = flightline(databaseUrl);
    const env = { ...ours.env, LOG_LEVEL: 'info', INTERNAL_API_KEY: KEY };
    const server = await startContender({ ...ours, name: 'this server', env });
    const lines: string[][] = [];
    try {
      await openLoop(server.port, '/api/status', REQUESTS_PER_SECOND, 3);
      for (const readers of READERS) {
        const screens = Array.from({ length: readers }, () => open(server));
        await sleep(1_000);
        const [before, bytes] = [server.processorUs(), received(screens)];
        const { times } = await openLoop(server.port, '/api/status', REQUESTS_PER_SECOND, SECONDS);
        const cpu = (server.processorUs() - before) / 1_000 / SECONDS;
        const each = readers === 0 ? 0 : (received(screens) - bytes) / readers / SECONDS / 1_024;
        lines.push([
          String(readers),
          cpu.toFixed(1),
          quantile(times.get(200) ?? [], 0.99).toFixed(1),
          readers === 0 ? '' : each.toFixed(1),
          server.residentMiB().toFixed(0),
        ]);
        for (const { request } of screens) request.destroy();
        await sleep(500);
      }
    } finally {
      await server.end();
    }
    const table: Table = [
      [
        'screens open',
        'CPU ms a second',
        "p99 of the others' requests, ms",
        'KiB a second to each',
        'resident, MiB',
      ],
      ...lines,
    ];
    print(table);
    await keep('stream', table, lines);
  });
}

interface Screen {
  request: ClientRequest;
  bytes: number;
}

const received = (screens: Screen[]) => screens.reduce((sum, { bytes }) => sum + bytes, 0);

function open({ port }: Contender): Screen {
  const request = get({
    port,
    host: '127.0.0.1',
    path: '/api/monitoring/stream?log=info',
    headers: { authorization: `Bearer ${KEY}` },
  });
  const screen = { request, bytes: 0 };
  request.on('error', () => {});
  request.on('response', (response) => {
    if (response.statusCode !== 200) throw new Error(`the stream was answered ${response.statusCode}`);
    response.on('data', (chunk: Buffer) => {
      screen.bytes += chunk.length;
    });
    response.on('error', () => {});
  });
  return screen;
}
