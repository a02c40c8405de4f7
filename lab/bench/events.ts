/** How soon a thousand readers on one replica are told of what was committed on another. */
import { type ClientRequest, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { topicOf } from '../../server/features/notes/queries.ts';
import { user } from '../../tests/support/user.ts';
import { startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { quantile } from './open-loop.ts';
import { keep, print, type Table } from './results.ts';

const READERS = Number(process.env.BENCH_READERS ?? 1_000);
const EVENTS = Number(process.env.BENCH_EVENTS ?? 50);
const EVERY_MS = 200;

export async function eventsSuite(): Promise<void> {
  await withDatabase('events', async (databaseUrl) => {
    const ours = flightline(databaseUrl);
    const env = { ...ours.env, LOG_LEVEL: 'info' };
    const writer = await startContender({ ...ours, name: 'writer', env });
    const replica = await startContender({ ...ours, name: 'replica', env });
    const sent = new Map<number, number>();
    const times: number[] = [];
    let joined = 0;
    const readers: ClientRequest[] = Array.from({ length: READERS }, () =>
      get(
        {
          port: replica.port,
          host: '127.0.0.1',
          path: `/api/events?topics=${topicOf(user.id)}`,
          headers: user.headers,
          agent: false,
        },
        (response) => {
          if (response.statusCode !== 200) throw new Error(`a reader was answered ${response.statusCode}`);
          let first = true;
          response.setEncoding('utf8').on('data', (chunk: string) => {
            if (first) joined++;
            first = false;
            for (const [, id] of chunk.matchAll(/"id":(\d+)/g)) {
              const at = sent.get(Number(id));
              if (at !== undefined) times.push(performance.now() - at);
            }
          });
        },
      ).on('error', () => {}),
    );
    const write = async () => {
      const answer = await fetch(`http://127.0.0.1:${writer.port}/api/notes`, {
        method: 'POST',
        headers: { ...user.headers, 'content-type': 'application/json' },
        body: '{"title":"x"}',
      });
      return ((await answer.json()) as { id: number }).id;
    };
    try {
      while (joined < READERS) await sleep(50);
      // The first ones warm up.
      let id = 0;
      for (let n = 0; n < 10; n++, await sleep(EVERY_MS)) id = await write();
      for (let n = 0; n < EVENTS; n++, await sleep(EVERY_MS)) {
        sent.set(id + 1, performance.now());
        if ((await write()) !== id + 1) throw new Error('another one writes notes');
        id++;
      }
      for (const limit = Date.now() + 5_000; times.length < READERS * EVENTS && Date.now() < limit; )
        await sleep(50);
    } finally {
      for (const reader of readers) reader.destroy();
      await Promise.all([writer.end(), replica.end()]);
    }
    const [p50, p99] = [0.5, 0.99].map((share) => `${quantile(times, share).toFixed(1)} ms`);
    const table: Table = [
      ['readers', 'told, of', 'request to a reader elsewhere: p50 · p99'],
      [String(READERS), `${times.length} of ${READERS * EVENTS}`, `${p50} · ${p99}`],
    ];
    print(table);
    await keep('events', table, { readers: READERS, events: EVENTS, p50, p99 });
  });
}
