import { and, desc, eq, isNull, lt } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { NoteQueries } from '../../server/features/notes/queries.ts';
import { notes } from '../../server/features/notes/table.ts';
import { createDatabase, type Database } from '../../server/platform/database/pool/pool.ts';
import { user } from '../../tests/support/user.ts';
import { type Load, load, type Contender as Server, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { keep, print } from './results.ts';
import { middle, ROUNDS, rates, ratio, times } from './rounds.ts';

const ROWS = (process.env.BENCH_ROWS ?? '1000,100000').split(',').map(Number);
const ROUND_MS = 500;
/** Statements under way at once, as many as the default pool has connections. */
const AT_ONCE = 20;
const PAGE = 20;
const owner = user.id;

type Query = 'one row' | 'page of 20' | 'insert';
type Contender = Record<Query, (id: number) => Promise<unknown>>;

const COLUMNS = 'id, title, body, version, created_at as "createdAt", updated_at as "updatedAt"';
const SUMMARY = `id, title, left(body, 140) as excerpt, version, created_at as "createdAt", updated_at as "updatedAt"`;

/** The request for each query. */
const ROUTES: Record<Query, (rows: number) => { path: string; body?: object }> = {
  'one row': (rows) => ({ path: `/api/notes/${Math.ceil(rows / 2)}` }),
  'page of 20': () => ({ path: `/api/notes?limit=${PAGE}` }),
  insert: () => ({ path: '/api/notes', body: { title: 'a', body: 'b' } }),
};

/**
 * The queries of the feature, compared with hand-written named statements and with drizzle as in its documentation; and the same over
 * HTTP.
 */
export async function queriesSuite(): Promise<void> {
  await withDatabase('database', async (connectionString) => {
    const log = { info() {}, warn: console.warn, error: console.error, debug() {} } as never;
    const database = createDatabase(
      {
        connection: { connectionString },
        poolSize: AT_ONCE,
        idleTimeoutMs: 10_000,
        connectTimeoutMs: 8_000,
        statementTimeoutMs: 30_000,
        preparedStatements: true,
        applicationName: 'bench',
      },
      log,
    );
    const pool = new pg.Pool({ connectionString, max: AT_ONCE });
    const ours = flightline(connectionString);
    const server = await startContender({ ...ours, name: 'this server' });
    // PostgreSQL closes what is still open when it ends.
    pool.on('error', () => {});
    const contenders = {
      'pg, named statements': byHand(pool),
      'drizzle, plain': plain(drizzle({ client: pool })),
      'this server': own(new NoteQueries(database.db, console)),
    };
    const lines: string[][] = [];
    const all: object[] = [];
    try {
      for (const rows of ROWS) {
        await fill(pool, rows);
        const many = rows.toLocaleString('en');
        const found = await pages(contenders['this server'], rows);
        all.push({ rows, ...found });
        const text = `${found.first.toFixed(2)} ms · ${found.far.toFixed(2)} ms · ${(found.far / found.first).toFixed(2)} times`;
        lines.push([`page 1 · page ${found.page.toLocaleString('en')}, ${many} notes`, '', '', text, '']);
        lines.push([
          `search, a word of one note · of all, ${many} notes`,
          '',
          '',
          await searches(database.db, rows),
          '',
        ]);
        for (const query of ['one row', 'page of 20', 'insert'] as const) {
          const figures = await compare(query, rows, contenders);
          const route = await throughRoute(server, ROUTES[query](rows));
          all.push({ rows, query, figures, route });
          lines.push([`${query}, ${many} notes`, ...figures.map(({ text }) => text), route]);
        }
      }
    } finally {
      await server.end();
      await pool.query('truncate notes restart identity');
      await pool.end();
      await database.close();
    }
    const table = [['', ...Object.keys(contenders), 'its route, over HTTP'], ...lines] as const;
    print(table);
    await keep('queries', table, all);
  });
}

function byHand(pool: pg.Pool): Contender {
  const named = (name: string, text: string, values: unknown[]) => pool.query({ name, text, values });
  return {
    'one row': (id) =>
      named('one', `select ${COLUMNS} from notes where id = $1 and owner_id = $2 and deleted_at is null`, [
        id,
        owner,
      ]),
    'page of 20': (id) =>
      named(
        'page',
        `select ${SUMMARY} from notes where owner_id = $1 and deleted_at is null and id < $2 order by id desc limit $3`,
        [owner, id, PAGE],
      ),
    insert: () =>
      named('insert', `insert into notes (owner_id, title, body) values ($1, $2, $3) returning ${COLUMNS}`, [
        owner,
        'a',
        'b',
      ]),
  };
}

function plain(db: ReturnType<typeof drizzle>): Contender {
  return {
    'one row': (id) =>
      db
        .select()
        .from(notes)
        .where(and(eq(notes.id, id), eq(notes.ownerId, owner), isNull(notes.deletedAt))),
    'page of 20': (id) =>
      db
        .select()
        .from(notes)
        .where(and(eq(notes.ownerId, owner), isNull(notes.deletedAt), lt(notes.id, id)))
        .orderBy(desc(notes.id))
        .limit(PAGE),
    insert: () => db.insert(notes).values({ ownerId: owner, title: 'a', body: 'b' }).returning(),
  };
}

function own(queries: NoteQueries): Contender {
  return {
    'one row': (id) => queries.read(owner, id),
    'page of 20': (id) => queries.list({ owner, words: undefined, before: id, limit: PAGE }),
    insert: () => queries.create(owner, { title: 'a', body: 'b' }),
  };
}

async function fill(pool: pg.Pool, rows: number): Promise<void> {
  await pool.query('truncate notes restart identity');
  await pool.query(
    `insert into notes (owner_id, title, body)
     select $1, 'note ' || n, repeat('word ', 20) || n from generate_series(1, $2::int) n`,
    [owner, rows],
  );
  await pool.query('vacuum analyze notes');
}

async function compare(query: Query, rows: number, contenders: Record<string, Contender>) {
  const found = new Map(Object.keys(contenders).map((name) => [name, [] as Load[]]));
  const there = Object.entries(contenders);
  const back = there.toReversed();
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, contender] of round % 2 === 0 ? there : back) {
      const one = await drive(contender[query], rows);
      // The first round warms up: plans, connections, V8.
      if (round >= 0) found.get(name)?.push(one);
    }
  }
  const [first] = found.values();
  return [...found].map(([name, loads]) => {
    const rate = `${middle(rates(loads)).median.toFixed(0)}/s ${ratio(rates(loads), rates(first)).toFixed(2)}`;
    const time = `${middle(times(loads)).median.toFixed(0)} µs ${ratio(times(first), times(loads)).toFixed(2)}`;
    return { name, loads, text: `${rate} · ${time}` };
  });
}

/** Requests a second, and processor time of the server for each. */
async function throughRoute(server: Server, request: { path: string; body?: object }): Promise<string> {
  const loads: Load[] = [];
  for (let round = 0; round <= 3; round++) {
    const one = await load(server, { ...request, connections: AT_ONCE, seconds: 2 });
    if (round > 0) loads.push(one);
  }
  return `${middle(rates(loads)).median.toFixed(0)}/s · ${middle(times(loads)).median.toFixed(0)} µs`;
}

async function drive(run: (id: number) => Promise<unknown>, rows: number): Promise<Load> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  let done = 0;
  const worker = async () => {
    while (performance.now() - began < ROUND_MS) {
      await run(1 + Math.floor(Math.random() * rows));
      done++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { rate: (done / (performance.now() - began)) * 1_000, cpuPerRequest: (user + system) / done };
}

/** The first page and a distant one: with a keyset both cost the same. In milliseconds, one at a time. */
async function pages(contender: Contender, rows: number) {
  const page = Math.min(10_000, Math.floor(rows / PAGE));
  const times = { first: [] as number[], far: [] as number[] };
  for (let i = 0; i < 400; i++) {
    for (const [name, before] of [
      ['first', Number.MAX_SAFE_INTEGER],
      ['far', rows + 1 - (page - 1) * PAGE],
    ] as const) {
      const began = performance.now();
      await contender['page of 20'](before);
      if (i >= 100) times[name].push(performance.now() - began);
    }
  }
  return { page, first: middle(times.first).median, far: middle(times.far).median };
}

/** PostgreSQL reads notes along their ids until enough have matched: a rare word costs a look at all of them. */
async function searches(db: Database['db'], rows: number): Promise<string> {
  const queries = new NoteQueries(db, console);
  const found: string[] = [];
  for (const words of [`'${Math.ceil(rows / 2)}'`, "'word'"]) {
    const lasted: number[] = [];
    for (let i = 0; i < 12; i++) {
      const began = performance.now();
      await queries.list({ owner, words, before: Number.MAX_SAFE_INTEGER, limit: PAGE });
      if (i >= 2) lasted.push(performance.now() - began);
    }
    found.push(`${middle(lasted).median.toFixed(1)} ms`);
  }
  return found.join(' · ');
}
