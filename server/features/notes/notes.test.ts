import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Note, NotePage } from '#contracts/notes.ts';
import type { Problem } from '#contracts/problem.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { user } from '../../../tests/support/user.ts';

let database: TestDatabase;
let server: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

async function api(method: Method, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await server.app.inject({
    method,
    url: `/api/notes${path}`,
    headers: {
      ...user.headers,
      ...headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: (answer.body === '' ? undefined : answer.json()) as Note & NotePage & Problem,
  };
}

const create = async (title: string, body = '') => (await api('POST', '', { title, body })).body as Note;
const match = (tag: string) => ({ 'if-match': tag });
const search = async (text: string) => {
  const { status, body } = await api('GET', `?limit=100&search=${encodeURIComponent(text)}`);
  expect(status).toBe(200);
  return body.items.map(({ title }) => title).sort();
};

describe('a note', () => {
  it('is created, read and listed', async () => {
    const made = await api('POST', '', { title: 'Milk', body: 'b'.repeat(200) });
    expect(made).toMatchObject({
      status: 201,
      headers: { etag: '"1"', location: `/api/notes/${made.body.id}`, 'cache-control': 'no-store' },
      body: { title: 'Milk', version: 1 },
    });
    expect(new Date(made.body.createdAt).toISOString()).toBe(made.body.createdAt);
    expect(await api('GET', `/${made.body.id}`)).toMatchObject({
      status: 200,
      headers: { etag: '"1"' },
      body: made.body,
    });
    const [first] = (await api('GET', '?limit=1')).body.items;
    expect(first).toMatchObject({ id: made.body.id, excerpt: 'b'.repeat(140) });
    expect(first).not.toHaveProperty('body');
  });

  it('has an empty body where none is given', async () => {
    expect((await api('POST', '', { title: 'Bare' })).body.body).toBe('');
  });

  it.each([
    ['title', {}],
    ['an empty title', { title: '' }],
    ['a title of spaces', { title: ' \t ' }],
    ['a title of 201 characters', { title: 'x'.repeat(201) }],
    ['a body of 20,001 characters', { title: 'x', body: 'x'.repeat(20_001) }],
    ['a number for a title', { title: 5 }],
    ['NUL in the title', { title: 'a\0b' }],
    ['NUL in the body', { title: 'a', body: '\0' }],
    ['a field nobody knows', { title: 'a', owner: 'me' }],
    ['a list', []],
    ['null', null],
  ])('is refused for %s', async (_what, body) => {
    expect(await api('POST', '', body)).toMatchObject({
      status: 400,
      body: { type: '/problems/validation', errors: [{ path: expect.stringMatching(/^body/) }] },
    });
  });

  it('holds 200 and 20,000 characters, of any script', async () => {
    const title = '𝒳'.repeat(200);
    const body = '日本 🙂 é\n'.repeat(2_000);
    const { id } = await create(title, body);
    expect((await api('GET', `/${id}`)).body).toMatchObject({ title, body });
  });

  it.each(['0', '-1', '1.5', 'abc', '99999999999999999999', '1e3x', '%00'])(
    'is not looked for under the id %s',
    async (id) => {
      expect((await api('GET', `/${id}`)).status).toBe(400);
    },
  );

  it('that does not exist is a 404 for every method', async () => {
    const nowhere = '/9007199254740991';
    for (const answer of [
      await api('GET', nowhere),
      await api('PATCH', nowhere, { title: 'x' }, match('*')),
      await api('DELETE', nowhere),
      await api('POST', `${nowhere}/restore`),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { type: '/problems/not-found' } });
    }
  });
});

describe('an edit', () => {
  it('changes what it names, and counts the version', async () => {
    const { id, body } = await create('Draft', 'kept');
    const edited = await api('PATCH', `/${id}`, { title: 'Final' }, match('"1"'));
    expect(edited).toMatchObject({
      status: 200,
      headers: { etag: '"2"' },
      body: { title: 'Final', body, version: 2 },
    });
  });

  it.each(['W/"1"', '"7", "1"', '"9" , W/"1"', '*', ' * '])('accepts If-Match %s', async (tag) => {
    const { id } = await create('Draft');
    expect((await api('PATCH', `/${id}`, { title: 'x' }, match(tag))).status).toBe(200);
  });

  it.each(['"2"', 'W/"2"', '"another-note"', '"2", "3"'])('is refused with If-Match %s', async (tag) => {
    const { id } = await create('Draft');
    expect(await api('PATCH', `/${id}`, { title: 'x' }, match(tag))).toMatchObject({
      status: 412,
      headers: { etag: '"1"' },
      body: { type: '/problems/precondition-failed' },
    });
    expect((await api('GET', `/${id}`)).body.title).toBe('Draft');
  });

  it('demands If-Match, well-formed, and something to change', async () => {
    const { id } = await create('Draft');
    expect((await api('PATCH', `/${id}`, { title: 'x' })).status).toBe(428);
    expect((await api('PATCH', `/${id}`, { title: 'x' }, match('1'))).status).toBe(400);
    expect((await api('PATCH', `/${id}`, {}, match('"1"'))).status).toBe(400);
    expect((await api('PATCH', `/${id}`, { title: 'a\0' }, match('"1"'))).status).toBe(400);
  });

  it('wins alone where several start from one version', async () => {
    const { id } = await create('Draft');
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => api('PATCH', `/${id}`, { title: `by ${n}` }, match('"1"'))),
    );
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(7);
    expect((await api('GET', `/${id}`)).body).toMatchObject({ title: winners[0]?.body.title, version: 2 });
  });
});

describe('a deletion', () => {
  it('hides a note from everything, and is undone by restoring, once or twice', async () => {
    const { id } = await create('Gone and back zebra');
    expect(await api('DELETE', `/${id}`)).toMatchObject({ status: 204, body: undefined });
    expect((await api('GET', `/${id}`)).status).toBe(404);
    expect((await api('DELETE', `/${id}`)).status).toBe(404);
    expect((await api('PATCH', `/${id}`, { title: 'x' }, match('*'))).status).toBe(404);
    expect(await search('zebra')).toEqual([]);
    for (const _ of ['once', 'twice']) {
      expect(await api('POST', `/${id}/restore`)).toMatchObject({ status: 200, body: { id, version: 1 } });
    }
    expect(await search('zebra')).toEqual(['Gone and back zebra']);
  });

  it('with a stale If-Match is refused, with a current one done', async () => {
    const { id } = await create('Draft');
    await api('PATCH', `/${id}`, { title: 'Final' }, match('"1"'));
    expect((await api('DELETE', `/${id}`, undefined, match('"1"'))).status).toBe(412);
    expect((await api('DELETE', `/${id}`, undefined, match('W/"2"'))).status).toBe(204);
  });

  it('is final after a day, at the next write of a server that has not cleaned for a minute', async () => {
    const old = await create('Old');
    const fresh = await create('Fresh');
    for (const { id } of [old, fresh]) await api('DELETE', `/${id}`);
    await query(database.url, `update notes set deleted_at = now() - interval '25 hours' where id = $1`, [
      old.id,
    ]);
    await create('no cleaning yet: this server has just done it');
    expect((await api('POST', `/${fresh.id}/restore`)).status).toBe(200);
    await api('DELETE', `/${fresh.id}`);

    await using another = await createTestApp(database.url);
    await another.app.inject({
      method: 'POST',
      url: '/api/notes',
      headers: user.headers,
      payload: { title: 'x' },
    });
    const left = () =>
      query(database.url, 'select id::int from notes where id = any($1)', [[old.id, fresh.id]]);
    await expect.poll(async () => (await left()).rows).toEqual([{ id: fresh.id }]);
    expect((await api('POST', `/${old.id}/restore`)).status).toBe(404);
  });
});

describe('a write', () => {
  let own: TestDatabase;
  let holder: pg.Client;
  beforeEach(async () => {
    own = await createDatabase();
    // Removing a row takes as long as another session likes, and fails then.
    await query(
      own.url,
      `create function refuse() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(1); raise exception 'not today'; end $$;
       create trigger refuse before delete on notes for each row execute function refuse();
       insert into notes (owner_id, title, deleted_at)
       values ('${user.id}', 'expired', now() - interval '25 hours'), ('${user.id}', 'other', null)`,
    );
    holder = new pg.Client({ connectionString: own.url });
    await holder.connect();
    await holder.query('select pg_advisory_lock(1)');
  });
  afterEach(async () => {
    await holder.end();
    await own.drop();
  });

  it.each([
    ['POST', '', { title: 'kept' }, 201],
    ['DELETE', '/2', undefined, 204],
  ] as const)(
    '(%s) is answered as soon as it is done, whatever becomes of the cleaning after it',
    async (method, path, payload, status) => {
      await using another = await createTestApp(own.url);
      const answer = await another.app.inject({
        method,
        url: `/api/notes${path}`,
        headers: user.headers,
        ...(payload && { payload }),
      });
      expect(answer.statusCode).toBe(status);
      await holder.query('select pg_advisory_unlock(1)');
      // Others are of the start.
      const warnings = () => another.lines.filter(({ level, err }) => Number(level) >= 40 && err);
      await expect.poll(warnings).toEqual([
        expect.objectContaining({
          level: 40,
          msg: 'expired notes could not be removed; a later write tries again',
        }),
      ]);
    },
  );
});

describe('the list', () => {
  it('is paged without gap or repeat while others write', async () => {
    const wanted: number[] = [];
    for (let n = 0; n < 45; n++) wanted.unshift((await create(`page ${n}`)).id);
    const seen: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null && seen.length < 45) {
      const { body } = await api('GET', `?limit=10${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items.map(({ id }) => id));
      cursor = body.nextCursor;
      await create('in between');
      await api('DELETE', `/${seen.at(-2)}`);
    }
    expect(seen.slice(0, 45)).toEqual(wanted);
  });

  it('ends with no cursor, also where the last page is exactly full', async () => {
    await using empty = await createTestApp((await createDatabase()).url);
    const list = async (url: string) =>
      (await empty.app.inject({ url: `/api/notes${url}`, headers: user.headers })).json() as NotePage;
    expect(await list('')).toEqual({ items: [], nextCursor: null });
    for (const title of ['one', 'two', 'three', 'four']) {
      await empty.app.inject({
        method: 'POST',
        url: '/api/notes',
        headers: user.headers,
        payload: { title },
      });
    }
    const first = await list('?limit=2');
    expect(first.items.map(({ title }) => title)).toEqual(['four', 'three']);
    const second = await list(`?limit=2&cursor=${first.nextCursor}`);
    expect(second.items.map(({ title }) => title)).toEqual(['two', 'one']);
    expect(second.nextCursor).toBeNull();
  });

  it.each(['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=2', 'cursor=nonsense', 'search=%00'])(
    'refuses ?%s',
    async (rest) => {
      expect((await api('GET', `?${rest}`)).status).toBe(400);
    },
  );
});

describe('search', () => {
  beforeAll(async () => {
    await create('Käsebrot kaufen', 'im Supermarkt an der Straße');
    await create('Quarterly report', "don't forget O'Brien's figures; budget-2026 & friends");
    await create('東京 旅行', 'ガイドブック 🗼');
    await create('Links', 'see https://docs.example.com/a_b/c.html, or “quoted” and version 3.14');
    await create('नमस्ते दुनिया');
    await create('Quarantine notes', 'report to nobody');
  });

  it.each<[string, string[]]>([
    ['käse', ['Käsebrot kaufen']],
    ['KÄSEBROT', ['Käsebrot kaufen']],
    ['kaufen stra', ['Käsebrot kaufen']],
    ['stra kaufen', []],
    ['quar', ['Quarantine notes', 'Quarterly report']],
    ['report quar', ['Quarantine notes', 'Quarterly report']],
    ['quarterly report', ['Quarterly report']],
    ["o'brien", ['Quarterly report']],
    ['budget-2026', ['Quarterly report']],
    ['2026', ['Quarterly report']],
    ['budget-20', ['Quarterly report']],
    ['example', ['Links']],
    ['docs.example.com/a_b', ['Links']],
    ['quoted', ['Links']],
    ['3.14', ['Links']],
    ['नमस्', ['नमस्ते दुनिया']],
    ['東京', ['東京 旅行']],
    ['ガイド', ['東京 旅行']],
    ['nosuchword', []],
    ['!!! --- ***', []],
    ['🗼', []],
    ["' | 'report", ['Quarantine notes', 'Quarterly report']],
    ["'); drop table notes; --", []],
    ['report & !quarterly', ['Quarterly report']],
    ['report:*ABCD <-> (', []],
    ['\\', []],
  ])('finds by %j', async (text, titles) => {
    expect(await search(text)).toEqual(titles);
  });

  it('of nothing but spaces is the whole list', async () => {
    expect((await search('  ')).length).toBeGreaterThan(3);
  });

  it('is paged like the list', async () => {
    const first = await api('GET', '?search=quar&limit=1');
    const second = await api('GET', `?search=quar&limit=1&cursor=${first.body.nextCursor}`);
    expect([first, second].map(({ body }) => body.items[0]?.title)).toEqual([
      'Quarantine notes',
      'Quarterly report',
    ]);
    expect(second.body.nextCursor).toBeNull();
  });
});

it('reads 100,000 notes by index: the list, a page deep in it, and a search', async () => {
  const big = await createDatabase();
  await query(
    big.url,
    `insert into notes (owner_id, title, body, deleted_at)
     select '${user.id}', 'note ' || n, 'word' || n % 5000, case when n % 10 = 0 then now() end
     from generate_series(1, 100000) n`,
  );
  await query(big.url, 'vacuum analyze notes');
  await using loaded = await createTestApp(big.url);
  const { pool } = loaded.database;
  // What the feature really sends, with what it really sends along.
  const sent: { name: string; text: string; values: unknown[] }[] = [];
  const client = await pool.connect();
  const prototype = Object.getPrototypeOf(client);
  const original = prototype.query;
  prototype.query = function (...args: [{ name?: string; text: string }, unknown[]?]) {
    const [{ name, text }, values = []] = args;
    if (name?.startsWith('notes_')) sent.push({ name, text, values });
    return original.apply(this, args);
  };
  try {
    for (const url of ['', `?cursor=${Buffer.from('k50000').toString('base64url')}`, '?search=word4999']) {
      const answer = await loaded.app.inject({ url: `/api/notes${url}`, headers: user.headers });
      expect(answer.statusCode).toBe(200);
    }
  } finally {
    prototype.query = original;
    client.release();
  }
  expect(sent.map(({ name }) => name)).toEqual([
    'notes_list',
    'notes_list',
    'notes_search_newest',
    'notes_search_all',
  ]);
  for (const { name, text, values } of sent) {
    const { rows } = await query(big.url, `explain (format json) ${text}`, values);
    const plan = JSON.stringify(rows[0]['QUERY PLAN'][0].Plan);
    // Where all notes are of one owner, the key alone does as well.
    expect(plan).toMatch(name === 'notes_search_all' ? /"notes_own_words"/ : /"notes_(?:own|pkey)"/);
    expect(plan).not.toContain('"Seq Scan"');
  }
  await big.drop();
});
