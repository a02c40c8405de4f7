import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import { NoteQueries } from './queries.ts';
import { notes, ownerQuery, ownWords } from './table.ts';

const ROWS = 100_000;

let database: TestDatabase;
let pool: pg.Pool;
let queries: NoteQueries;
/** What drizzle has sent: the statements as they really are. */
const sent: { text: string; values: unknown[] }[] = [];

beforeAll(async () => {
  database = await createDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  await pool.query(
    `INSERT INTO notes (owner_id, title, body, deleted_at)
     SELECT CASE WHEN n % 1000 = 1 THEN 'ada' WHEN n % 10 = 5 THEN 'grace' ELSE '' END, 'note ' || n, CASE WHEN n % 1000 <> 1 THEN 'word' || n ELSE '' END,
       CASE WHEN n % 10 = 0 THEN now() END
     FROM generate_series(1, $1::int) n`,
    [ROWS],
  );
  await pool.query('VACUUM ANALYZE notes');
  const logger = { logQuery: (text: string, values: unknown[]) => sent.push({ text, values }) };
  queries = new NoteQueries(drizzle({ client: pool, logger }), console);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** What a statement touches at most, in pages of 8 KiB; all notes fill more than 2,000. */
const FEW_PAGES = 100;
/** A search reads the owner's newest 1,000 notes before the index of words, and looks whether there are more. */
const NEWEST_PAGES = 500;

interface Plan {
  'Node Type': string;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Plan[];
}

const nodes = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];

/** Runs a query, and what it has sent once more to see how the database goes about it. */
async function lookAt(run: () => Promise<unknown>) {
  sent.length = 0;
  await run();
  const plans: Plan[] = [];
  let pages = 0;
  for (const { text, values } of sent.slice()) {
    await pool.query('BEGIN');
    const { rows } = await pool.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values);
    await pool.query('ROLLBACK');
    const top: Plan = rows[0]['QUERY PLAN'][0].Plan;
    pages += top['Shared Hit Blocks'] + top['Shared Read Blocks'];
    plans.push(...nodes(top));
  }
  return { kinds: plans.map((node) => node['Node Type']), pages, statements: sent.length };
}

const anywhere = Number.MAX_SAFE_INTEGER;
const list = (options: { words: string | undefined; owner?: string }) =>
  queries.list({ owner: 'ada', before: anywhere, limit: 21, ...options });
// In this order: the first write of a process also removes what was deleted long ago.
const QUERIES: [name: string, statements: number, pages: number, run: () => Promise<unknown>][] = [
  [
    'the first page',
    1,
    FEW_PAGES,
    () => queries.list({ owner: '', words: undefined, before: anywhere, limit: 21 }),
  ],
  [
    'a page far behind',
    1,
    FEW_PAGES,
    () => queries.list({ owner: '', words: undefined, before: 500, limit: 21 }),
  ],
  [
    'a search for the beginning of a rare word',
    2,
    NEWEST_PAGES,
    () => queries.list({ owner: '', words: "'word77':*", before: anywhere, limit: 21 }),
  ],
  [
    'a search for the beginning of a common word',
    1,
    FEW_PAGES,
    () => queries.list({ owner: '', words: "'not':*", before: anywhere, limit: 21 }),
  ],
  ['the first page of one of many', 1, FEW_PAGES, () => list({ words: undefined })],
  // What is common with others is collected for nobody who has few notes.
  ['a search of one of many for a common word', 2, NEWEST_PAGES, () => list({ words: "'word':*" })],
  // Not all notes of one who has many, to find those with the word.
  [
    'a search of one with many for a rare word',
    2,
    NEWEST_PAGES,
    () => list({ owner: 'grace', words: "'word77':*" }),
  ],
  ['reading one', 1, FEW_PAGES, () => queries.read('', 77)],
  ['the first write', 2, FEW_PAGES, () => queries.create('', { title: 'new' })],
  ['a write after it', 1, FEW_PAGES, () => queries.create('', { title: 'newer' })],
  ['changing one', 1, FEW_PAGES, () => queries.change('', 77, [1], { title: 'changed' })],
  ['deleting one', 1, FEW_PAGES, () => queries.delete('', 77, 'any')],
  ['restoring one', 1, FEW_PAGES, () => queries.restore('', 77)],
];

for (const [name, statements, pages, run] of QUERIES) {
  it(`${name} touches fewer than ${pages} pages, among ${ROWS} notes`, async () => {
    const seen = await lookAt(run);
    expect(seen.kinds.filter((kind) => ['Seq Scan', 'BitmapAnd'].includes(kind))).toEqual([]);
    expect(seen.pages).toBeLessThan(pages);
    expect(seen.statements).toBe(statements);
  });
}

it.each(["o'x", 'a\\b', "'", 'a b & !c | d:*', '@ada'])(
  'tells the notes of the owner %s by a word',
  async (owner) => {
    const db = drizzle({ client: pool });
    const [made] = await db.insert(notes).values({ ownerId: owner, title: 'ada' }).returning();
    const found = await db
      .select()
      .from(notes)
      .where(sql`${ownWords} @@ ${ownerQuery(owner)}::tsquery`);
    expect(found).toEqual([made]);
  },
);
