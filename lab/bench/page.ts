/**
 * Real work: a page of 20 notes over HTTP with every feature on, compared with the alternatives.
 *
 * The database and the load generator share the second core. Where they limit the rate, the processor time of the server
 * still tells the contenders apart.
 * With accounts, Flightline recognises the user by an API key; no other contender does.
 */
import { deepStrictEqual } from 'node:assert';
import { join } from 'node:path';
import pg from 'pg';
import { user } from '../../tests/support/user.ts';
import { type Contender, headersOf, startContender, withDatabase } from './contender.ts';
import { POOL_SIZE } from './contenders/notes.ts';
import { checkFeatures, type Entry, flightline, node } from './json.ts';
import { keep, print, type Table } from './results.ts';
import { rates, ratio, takeTurns, times, withSpread } from './rounds.ts';

const PATH = '/api/notes?limit=20';
const ROWS = 10_000;
/** Twice as many as each pool has, so that the database is never idle. */
const CONNECTIONS = 2 * POOL_SIZE;

/** Ours comes first; the others are compared with it. */
function entries(databaseUrl: string): [ours: Entry, ...others: Entry[]] {
  const env = { DATABASE_URL: databaseUrl };
  const ours = flightline(databaseUrl);
  return [
    {
      ...ours,
      name: 'Flightline, everything on',
      env: { ...ours.env, LOG_LEVEL: 'info', DB_POOL_SIZE: String(POOL_SIZE) },
    },
    { name: 'bare Fastify, a named statement', command: node('bare-fastify.mjs'), features: false, env },
    {
      name: 'the same packages by their READMEs, drizzle',
      command: node('readmes.mjs'),
      features: true,
      env,
    },
    { name: 'Express 5, the same features, drizzle', command: node('express.mjs'), features: true, env },
  ];
}

export async function pageSuite(): Promise<void> {
  await withDatabase('page', async (connectionString, folder) => {
    await fill(connectionString);
    const [ours, ...others] = entries(connectionString);
    const running: Contender[] = [];
    try {
      for (const entry of [ours, ...others]) {
        const output = join(folder, `${running.length}.log`);
        const env = { NODE_ENV: 'production', ...entry.env };
        const contender = await startContender({ ...entry, output, env });
        running.push(contender);
        if (entry.features) await checkFeatures(contender, entry, PATH, output);
      }
      const [own = [], ...pages] = await Promise.all(running.map(rowsOf));
      // The rows only: each contender has its own form of the cursor.
      for (const rows of pages) deepStrictEqual(rows, own);
      const turns = running.map(
        (contender) => [contender.name, { contender, path: PATH, connections: CONNECTIONS }] as const,
      );
      const found = await takeTurns(new Map(turns));
      const ourRates = rates(found.get(ours.name));
      const ourTimes = times(found.get(ours.name));
      const table: Table = [
        [
          'a page of 20 notes',
          'requests/s',
          'Flightline against it',
          'CPU µs a request',
          'it against Flightline',
        ],
        ...[...found].map(([name, loads]) => [
          name,
          withSpread(rates(loads)),
          ratio(ourRates, rates(loads)).toFixed(2),
          withSpread(times(loads)),
          ratio(times(loads), ourTimes).toFixed(2),
        ]),
      ];
      print(table);
      await keep('page', table, Object.fromEntries(found));
    } finally {
      for (const contender of running) await contender.end();
    }
  });
}

async function fill(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('truncate notes restart identity');
  await client.query(
    `insert into notes (owner_id, title, body)
     select $1, 'note ' || n, repeat('word ', 20) || n from generate_series(1, $2::int) n`,
    [user.id, ROWS],
  );
  await client.query('vacuum analyze notes');
  await client.end();
}

async function rowsOf({ port }: Contender): Promise<unknown[]> {
  const answer = await fetch(`http://127.0.0.1:${port}${PATH}`, { headers: headersOf(PATH) });
  const { items } = (await answer.json()) as { items: unknown[] };
  if (items.length !== 20) throw new Error(`${port} answered ${items.length} notes instead of 20`);
  return items;
}
