/** Limits of time that are no row of the table: what stands in the way of a start, a scrape, a slot. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { loadConfig } from '../../server/platform/config/config.ts';
import { settings } from '../../server/settings.ts';
import { createTestApp } from '../../tests/support/app.ts';
import { createDatabase } from '../../tests/support/postgres.ts';
import { openRaw } from '../../tests/support/raw-http.ts';
import { startServer } from '../../tests/support/server.ts';
import { within } from './support/suite.ts';

const KEY = randomBytes(32).toString('base64url');

/** Milliseconds that it takes. */
async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

it('the configuration is read in 3 ms or less: it stands between the start and readiness', async () => {
  const env = { ...process.env, NODE_ENV: 'development', DATABASE_URL: 'postgres://u:p@127.0.0.1/d' };
  const times: number[] = [];
  for (let n = 0; n < 30; n++) times.push(await timed(() => loadConfig(settings, env, import.meta.dirname)));
  expect(times.toSorted((a, b) => a - b)[15]).toBeLessThan(within(3));
});

it('as many series as there can be are scraped within a second', async () => {
  const database = await createDatabase();
  await using server = await createTestApp(database.url, { INTERNAL_API_KEY: KEY });
  for (let n = 0; n < 5_000; n++) {
    const route = server.app.observations.routes.of(
      ['GET', 'POST', 'X'][n % 3] as string,
      `/route/${n % 100}`,
    );
    server.app.observations.request(route, 200 + (n % 300), 1);
  }
  const scrape = () => server.app.inject({ url: '/metrics', headers: { 'x-api-key': KEY } });
  expect(await timed(scrape)).toBeLessThan(within(1_000));
});

it('who sends nothing, half of the headers or half of a body is let go within 12.5 s', async () => {
  const database = await createDatabase();
  await using server = await startServer({ DATABASE_URL: database.url });
  await server.ready();
  const head = 'POST /api/status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const times = await Promise.all(
    ['', head, `${head}Content-Length: 99999\r\n\r\n{`].map(async (text) => {
      const client = await openRaw(server.url);
      return timed(() => {
        client.socket.write(text);
        return client.closed;
      });
    }),
  );
  expect(Math.max(...times)).toBeLessThan(within(12_500));
});
