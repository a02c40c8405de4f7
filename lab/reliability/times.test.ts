/** Time limits without a row in docs/reliability.md: reading the configuration, and a scrape. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { loadConfig } from '../../server/platform/config/config.ts';
import { settings } from '../../server/settings.ts';
import { createTestApp } from '../../tests/support/app.ts';
import { createDatabase } from '../../tests/support/postgres.ts';
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
