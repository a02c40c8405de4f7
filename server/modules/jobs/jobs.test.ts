import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { Type } from 'typebox';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { JobView } from '#contracts/jobs.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { TcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { until } from '../../../tests/support/until.ts';
import {
  type Job,
  type JobDefinition,
  type JobRun,
  type Jobs,
  PermanentJobError,
} from '../../platform/jobs.ts';
import type { Actor, Application, Part } from '../../platform/parts.ts';

const KEY = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
const Input = Type.Object({ n: Type.Integer() }, { additionalProperties: false });
type Context = JobRun<{ n: number }>;

let database: TestDatabase;
const open: TestApp[] = [];

beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  for (const app of open.splice(0)) await app[Symbol.asyncDispose]();
  await database.drop();
});

interface Replica {
  test: TestApp;
  jobs: Jobs;
  job: Job<{ n: number }>;
  enqueue(n: number, options?: Parameters<Jobs['enqueue']>[3]): Promise<string | undefined>;
}

type Definition = Partial<JobDefinition<typeof Input>> & { run?(context: Context): Promise<void> };

/** One process of several on one database, with a job of the test's own. */
async function replica(
  definition: Definition,
  env: Record<string, string> = {},
  others: (jobs: Jobs) => void = () => {},
): Promise<Replica> {
  let jobs: Jobs | undefined;
  let job: Job<{ n: number }> | undefined;
  const test = await createTestApp(
    database.url,
    { INTERNAL_API_KEY: KEY, LOG_LEVEL: 'debug', ...env },
    {
      features: [
        (_platform, own: Application) => {
          jobs = own.modules.find(({ name }) => name === 'jobs') as unknown as Jobs;
          job = jobs.define({ name: 'count', input: Input, run: async () => {}, ...definition });
          others(jobs);
          return { name: 'counting' };
        },
      ],
    },
  );
  open.push(test);
  const made = { jobs: jobs as Jobs, job: job as Job<{ n: number }> };
  return {
    test,
    ...made,
    enqueue: (n, options) =>
      test.database.transaction((tx) => made.jobs.enqueue(tx, made.job, { n }, options)),
  };
}

async function ask(
  { test }: Replica,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  headers: Record<string, string> = { authorization: `Bearer ${KEY}` },
) {
  const answer = await test.app.inject({ method, url: path, headers });
  const isJson = answer.headers['content-type']?.toString().includes('json');
  return { status: answer.statusCode, body: isJson ? answer.json() : answer.body };
}
const LIST = '/api/monitoring/jobs';
const one = async (on: Replica, id: string): Promise<JobView> =>
  (await ask(on, 'GET', `${LIST}/count/${id}`)).body;
const inState = (on: Replica, id: string, state: JobView['state']) =>
  until(`the job is ${state}`, async () => {
    const job = await one(on, id);
    return job.state === state && job;
  });
const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

it('runs once its transaction is committed, with its input and on whose behalf', async () => {
  const ran: { input: unknown; actor: Actor; attempt: number; key: string; id: string }[] = [];
  const a = await replica({
    async run({ input, actor, attempt, idempotencyKey: key, id }) {
      ran.push({ input, actor, attempt, key, id });
    },
  });
  const actor = { userId: 'u1', organisationId: 'o1', requestId: 'r1', traceparent: '00-ab-cd-01' };
  const id = await a.test.database.transaction(async (tx) => {
    const made = await a.jobs.enqueue(tx, a.job, { n: 7 }, { actor });
    await sleep(100);
    expect(ran).toEqual([]);
    return made as string;
  });
  await inState(a, id, 'done');
  expect(ran).toEqual([{ input: { n: 7 }, actor, attempt: 1, key: id, id }]);
});

it('never runs where its transaction is rolled back', async () => {
  const ran: number[] = [];
  const a = await replica({ run: async ({ input }) => void ran.push(input.n) });
  await expect(
    a.test.database.transaction(async (tx) => {
      await a.jobs.enqueue(tx, a.job, { n: 1 });
      throw new Error('changed my mind');
    }),
  ).rejects.toThrow('changed my mind');
  const id = (await a.enqueue(2)) as string;
  await inState(a, id, 'done');
  expect(ran).toEqual([2]);
});

it('is enqueued, and told of, in one statement; with the rows that are its inputs as well', async () => {
  const ran: unknown[] = [];
  const a = await replica({ run: async ({ input, actor }) => void ran.push([input.n, actor.requestId]) });
  await a.enqueue(0);
  const statements: string[] = [];
  await a.test.database.transaction(async (tx) => {
    const { session } = tx as unknown as { session: { logger: { logQuery(text: string): void } } };
    session.logger = { logQuery: (text) => void (text === 'commit' || statements.push(text)) };
    await a.jobs.enqueue(tx, a.job, { n: 1 });
    const options = { actor: { requestId: 'r1' } };
    const rows = (name: string) => sql`input as (
      insert into job_definitions (name, failures) values (${name}, 2), (${`${name} again`}, 3)
      on conflict do nothing returning failures as n)`;
    expect(await a.jobs.enqueueRows(tx, a.job, rows('row'), options)).toBe(2);
    expect(await a.jobs.enqueueRows(tx, a.job, rows('row'), options)).toBe(0);
  });
  expect(statements).toHaveLength(3);
  await until('all have run', () => ran.length === 4);
  expect(ran).toEqual(
    expect.arrayContaining([
      [1, undefined],
      [2, 'r1'],
      [3, 'r1'],
    ]),
  );
});

it('refuses an input that does not fit, and buries one that no longer does', async () => {
  const ran: number[] = [];
  const a = await replica({ run: async ({ input }) => void ran.push(input.n) });
  await expect(a.enqueue('seven' as never)).rejects.toThrow('input/n must be integer');
  await expect(a.enqueue(1, { key: 'k' })).rejects.toThrow('A key is for jobs that are unique');

  const id = (await a.enqueue(1, { at: new Date(Date.now() + 3_600_000) })) as string;
  await query(
    database.url,
    `update pgboss.job set start_after = now(), data = '{"input":{"n":"old"},"actor":{}}'; select pg_notify('jobs', 'due 0')`,
  );
  const dead = await inState(a, id, 'dead');
  expect(dead).toMatchObject({ attempts: 1, error: 'The input is not valid: input/n must be integer' });
  expect(ran).toEqual([]);
});

it('refuses an input that PostgreSQL would, before the transaction is broken by it', async () => {
  const a = await replica({ input: Type.Unknown() as never }, { WORKER: 'off' });
  const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  await a.test.database.transaction(async (tx) => {
    for (const input of [
      'a \0 byte',
      { text: ['half \ud83d'] },
      { 'key\0': 1 },
      nested(1_001),
      nested(100_000),
      cyclic,
    ]) {
      const enqueued = a.jobs.enqueue(tx, a.job, input as never);
      await expect(enqueued).rejects.toThrow(TypeError);
      await expect(enqueued).rejects.toThrow("The input of job 'count' cannot be stored");
    }
    expect(await a.jobs.enqueue(tx, a.job, nested(1_000) as never)).toBeDefined();
    expect(await a.jobs.enqueue(tx, a.job, 'whole \ud83d\ude00, \\u0000' as never)).toBeDefined();
  });
});

/** Longer than operations goes on judging after something has happened. */
const QUIET_MS = 6_000;

it('runs at its time, and asks nothing and holds no timer until then', async () => {
  const ran: number[] = [];
  const a = await replica({ run: async () => void ran.push(Date.now()) });
  const { pool } = a.test.database;
  const asked = vi.spyOn(pool, 'query');
  const quiet = async () => {
    do asked.mockClear();
    while ((await sleep(QUIET_MS, asked)).mock.calls.length > 0);
  };
  await a.enqueue(0);
  await until('it has begun', () => ran.length === 1);
  await quiet();
  let askedBefore = 0;
  const at = new Date(Date.now() + 10_000);
  await a.enqueue(1, { at });
  await until('it ran', () => {
    if (Date.now() < at.getTime()) askedBefore = asked.mock.calls.length;
    return ran.length === 2;
  });
  expect((ran[1] as number) - at.getTime()).toBeGreaterThanOrEqual(0);
  // It has looked for when, by the database's clock: after the commit, and after the notification.
  expect(askedBefore).toBeLessThanOrEqual(2);

  // Nothing is due any more.
  await quiet();
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  await sleep(1_500);
  expect(asked).not.toHaveBeenCalled();
  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBeLessThanOrEqual(
    timers,
  );
});

it('does nothing at all where no job is defined', async () => {
  const test = await createTestApp(database.url, { INTERNAL_API_KEY: KEY });
  open.push(test);
  await sleep(300);
  expect(test.database.stats().total).toBe(0);
});

it('tries again after a pause, and keeps what failed for good until an operator decides', async () => {
  let fails = true;
  const attempts: number[] = [];
  const a = await replica({
    retries: 2,
    backoff: { seconds: 1, max: 1 },
    async run({ attempt }) {
      attempts.push(attempt);
      if (fails) throw new Error('no such host postgres://u:secret@db/x');
    },
  });
  const id = (await a.enqueue(1)) as string;
  const dead = await inState(a, id, 'dead');
  expect(attempts).toEqual([1, 2, 3]);
  expect(dead).toMatchObject({
    attempts: 3,
    maxAttempts: 3,
    error: 'no such host postgres://[redacted]@db/x',
  });
  expect((await ask(a, 'GET', `${LIST}/list?state=dead`)).body.items).toMatchObject([{ id }]);
  expect((await ask(a, 'POST', `${LIST}/count/${id}/cancel`)).status).toBe(409);

  fails = false;
  expect((await ask(a, 'POST', `${LIST}/count/${id}/retry`)).status).toBe(204);
  expect(await inState(a, id, 'done')).toMatchObject({ attempts: 4 });
  expect((await ask(a, 'POST', `${LIST}/count/${id}/retry`)).status).toBe(409);
  expect((await ask(a, 'DELETE', `${LIST}/count/${id}`)).status).toBe(204);
  expect((await ask(a, 'GET', `${LIST}/count/${id}`)).status).toBe(404);
  expect((await ask(a, 'DELETE', `${LIST}/count/${id}`)).status).toBe(404);
});

it.each([
  ['a NUL', new Error('bad \0 byte'), 'bad \ufffd byte'],
  ['half of a character', new Error('cut \ud83d'), 'cut \ufffd'],
  ['what is no text', Object.create(null), 'What was thrown cannot be written as text'],
  ['a megabyte', new Error('x'.repeat(1_000_000)), 'x'.repeat(10_000)],
])('buries a job that fails with %s', async (_what, thrown, error) => {
  const a = await replica({
    retries: 0,
    async run() {
      throw thrown;
    },
  });
  const id = (await a.enqueue(1)) as string;
  expect(await inState(a, id, 'dead')).toMatchObject({ error });
});

it('keeps the leases of all jobs where the progress of one is no text for the database', async () => {
  const a = await replica({
    run: ({ progress, input, signal }) => {
      if (input.n === 1) progress(1n as never, 2, 'file\0name of postgres://u:hunter2@h/d');
      return never(signal);
    },
  });
  const id = (await a.enqueue(1)) as string;
  await a.enqueue(2);
  const { progress } = await until('progress is written', async () => {
    const job = await one(a, id);
    return job.progress && job;
  });
  expect(progress).toEqual({ done: 1, total: 2, note: 'file\ufffdname of postgres://[redacted]@h/d' });
  await until('both leases are renewed', async () => {
    const { rows } = await query(
      database.url,
      `select from pgboss.job where state = 'active' and heartbeat_on > started_on`,
    );
    return rows.length === 2;
  });
});

it('says that a dead unique job waits for another of its key', async () => {
  const a = await replica({
    unique: true,
    retries: 0,
    async run() {
      throw new Error('broken');
    },
  });
  const id = (await a.enqueue(1, { key: 'a' })) as string;
  await inState(a, id, 'dead');
  await ask(a, 'POST', `${LIST}/count/pause`);
  await a.enqueue(2, { key: 'a' });
  expect(await ask(a, 'POST', `${LIST}/count/${id}/retry`)).toMatchObject({
    status: 409,
    body: { detail: 'Another one, with the same key, has not ended.' },
  });
});

it('refuses a time that is none, and a time-out that no timer holds', async () => {
  const a = await replica({}, { WORKER: 'off' });
  await expect(a.enqueue(1, { at: new Date('nonsense') })).rejects.toThrow('is no time');
  await expect(replica({ timeoutMs: 30 * 86_400_000 })).rejects.toThrow('is not between 1 ms and a day');
});

it('does not try again what says that it is of no use', async () => {
  const a = await replica({
    async run() {
      throw new PermanentJobError('the account is closed');
    },
  });
  const id = (await a.enqueue(1)) as string;
  expect(await inState(a, id, 'dead')).toMatchObject({ attempts: 1, error: 'the account is closed' });
});

it('ends an attempt that takes too long, also one that does not listen', async () => {
  const a = await replica({
    retries: 0,
    timeoutMs: 200,
    concurrency: 1,
    run: ({ signal, input }) => (input.n === 1 ? never(signal) : new Promise<never>(() => {})),
  });
  const listens = (await a.enqueue(1)) as string;
  expect(await inState(a, listens, 'dead')).toMatchObject({ error: 'The job took longer than 200 ms' });
  const deaf = (await a.enqueue(2)) as string;
  expect(await inState(a, deaf, 'dead')).toMatchObject({ error: 'The job took longer than 200 ms' });
  // The next one is not kept waiting by it.
  const next = (await a.enqueue(1)) as string;
  await inState(a, next, 'dead');
});

it('is cancelled from another replica, while it waits and while it runs', async () => {
  const reasons: unknown[] = [];
  const definition: Definition = {
    timeoutMs: 60_000,
    run: ({ signal }) => never(signal).catch((reason) => void reasons.push(reason.message)),
  };
  const runs = await replica(definition);
  const asks = await replica(definition, { WORKER: 'off' });
  const id = (await asks.enqueue(1)) as string;
  await inState(asks, id, 'running');
  expect((await ask(asks, 'DELETE', `${LIST}/count/${id}`)).status).toBe(409);
  expect((await ask(asks, 'POST', `${LIST}/count/${id}/cancel`)).status).toBe(204);
  await until('its signal came', () => reasons.length === 1);
  expect(reasons).toEqual(['The job was cancelled']);
  expect(await one(asks, id)).toMatchObject({ state: 'cancelled', attempts: 1 });

  const later = (await asks.enqueue(2, { at: new Date(Date.now() + 60_000) })) as string;
  expect((await ask(asks, 'POST', `${LIST}/count/${later}/cancel`)).status).toBe(204);
  expect(await one(runs, later)).toMatchObject({ state: 'cancelled', attempts: 0 });
});

it('is cancelled where no code defines it any more', async () => {
  const a = await replica({});
  const id = (await a.enqueue(1, { at: new Date(Date.now() + 60_000) })) as string;
  const next = await replica({ name: 'renamed' });
  expect((await ask(next, 'POST', `${LIST}/count/${id}/cancel`)).status).toBe(204);
  expect(await one(next, id)).toMatchObject({ state: 'cancelled' });
  expect((await ask(next, 'POST', `${LIST}/other/${id}/cancel`)).status).toBe(404);
});

it('goes on behind the steps that an interrupted attempt has ended', async () => {
  const done: string[] = [];
  const a = await replica({
    retries: 1,
    backoff: { seconds: 1, max: 1 },
    async run({ step, attempt }) {
      const first = await step('first', async () => {
        done.push('first');
        return { at: new Date(0) };
      });
      // As JSON keeps it, in both attempts.
      expect(first).toEqual({ at: '1970-01-01T00:00:00.000Z' });
      await step('second', async () => {
        done.push(`second ${attempt}`);
        if (attempt === 1) throw new Error('cut');
      });
    },
  });
  const id = (await a.enqueue(1)) as string;
  await inState(a, id, 'done');
  expect(done).toEqual(['first', 'second 1', 'second 2']);
});

it('runs what is enqueued here while no notification arrives', async () => {
  const a = await replica({});
  const first = (await a.enqueue(1)) as string;
  await inState(a, first, 'done');
  await until('it holds no connection any more', async () => {
    await query(
      database.url,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'test listener' and datname = current_database()`,
    );
    await sleep(500);
    const { rows } = await query(
      database.url,
      `select from pg_stat_activity where application_name = 'test listener' and datname = current_database()`,
    );
    return rows.length === 0;
  });
  // A request would open it again: this asks the database alone.
  await a.enqueue(2);
  await until('it ran', async () => {
    const { rows } = await query(database.url, `select from pgboss.job where state = 'completed'`);
    return rows.length === 2;
  });
});

it('enqueues from as many transactions at once as there are connections, the first ones', async () => {
  const a = await replica({}, { WORKER: 'off', DB_POOL_SIZE: '4', DB_CONNECT_TIMEOUT_MS: '30000' });
  await until('the queue is there', async () => {
    const { rows } = await query(database.url, 'select from job_definitions');
    return rows.length === 1;
  });
  await sleep(500);
  const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => a.enqueue(n)));
  expect(new Set(ids).size).toBe(12);
});

it('keeps out a second one that is unique, by its key, until the first has ended', async () => {
  let release = () => {};
  const a = await replica({
    unique: true,
    run: () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  });
  const first = (await a.enqueue(1, { key: 'a' })) as string;
  expect(await a.enqueue(2, { key: 'a' })).toBeUndefined();
  const other = (await a.enqueue(3, { key: 'b' })) as string;
  expect(other).toBeDefined();
  await inState(a, first, 'running');
  expect(await a.enqueue(4, { key: 'a' })).toBeUndefined();
  expect((await ask(a, 'POST', `${LIST}/count/${first}/cancel`)).status).toBe(204);
  release();
  expect(await a.enqueue(5, { key: 'a' })).toBeDefined();
});

it('begins with what matters most, and with no more at once than it may', async () => {
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const a = await replica({
    concurrency: 2,
    async run({ input }) {
      order.push(input.n);
      most = Math.max(most, ++running);
      await sleep(20);
      running--;
    },
  });
  await a.test.database.transaction(async (tx) => {
    for (let n = 0; n < 8; n++) await a.jobs.enqueue(tx, a.job, { n }, { priority: n });
  });
  await until('all have run', () => order.length === 8 && running === 0);
  expect(most).toBe(2);
  expect(order.slice(0, 2).sort()).toEqual([6, 7]);
});

it('takes jobs of each name in turn, and not all of one name first', async () => {
  const order: string[] = [];
  const definition: Definition = { run: async () => void order.push('count') };
  let other: Job<{ n: number }> | undefined;
  const others = (jobs: Jobs) => {
    other = jobs.define({ name: 'other', input: Input, run: async () => void order.push('other') });
  };
  const off = await replica(definition, { WORKER: 'off' }, others);
  await off.test.database.transaction(async (tx) => {
    for (const job of [off.job, other as Job<{ n: number }>])
      await off.jobs.enqueueMany(
        tx,
        job,
        Array.from({ length: 3 }, (_, n) => ({ n })),
      );
  });
  await replica(definition, { JOBS_CONCURRENCY: '1' }, others);
  await until('all have run', () => order.length === 6);
  const [first, second] = order;
  expect(first).not.toBe(second);
  expect(order).toEqual([first, second, first, second, first, second]);
});

it('finds a job that is told of right after all of another name that may run were taken', async () => {
  const ran: number[] = [];
  let other: Job<{ n: number }> | undefined;
  const a = await replica(
    {
      concurrency: 1,
      async run({ signal }) {
        await a.test.database.transaction((tx) => a.jobs.enqueue(tx, other as Job<{ n: number }>, { n: 1 }));
        await never(signal);
      },
    },
    { SHUTDOWN_TIMEOUT_MS: '1500' },
    (jobs) => {
      other = jobs.define({ name: 'other', input: Input, run: async ({ input }) => void ran.push(input.n) });
    },
  );
  await a.enqueue(1);
  await until('the other ran', () => ran.length === 1);
});

it('is paused everywhere, and goes on', async () => {
  const ran: number[] = [];
  const definition: Definition = { run: async ({ input }) => void ran.push(input.n) };
  const a = await replica(definition);
  const b = await replica(definition, { WORKER: 'off' });
  expect((await ask(b, 'POST', `${LIST}/count/pause`)).status).toBe(204);
  expect((await ask(b, 'POST', `${LIST}/other/pause`)).status).toBe(404);
  await b.enqueue(1);
  await sleep(300);
  expect(ran).toEqual([]);
  expect((await ask(a, 'GET', LIST)).body.queues).toMatchObject([
    { name: 'count', paused: true, waiting: 1 },
  ]);
  expect((await ask(b, 'POST', `${LIST}/count/resume`)).status).toBe(204);
  await until('it ran', () => ran.length === 1);
});

it('runs what its schedule has due once over all replicas, and what was missed once', async () => {
  const ran: number[] = [];
  const definition: Definition = {
    // None of its own times comes while the test runs.
    schedule: { cron: '30 4 1 1 *', timeZone: 'Europe/Berlin', input: { n: 5 } },
    run: async ({ input }) => void ran.push(input.n),
  };
  const a = await replica(definition);
  const b = await replica(definition);
  const queues = () => ask(a, 'GET', LIST).then(({ body }) => body.queues);
  const [{ schedule }] = await queues();
  expect(schedule).toMatchObject({
    cron: '30 4 1 1 *',
    timeZone: 'Europe/Berlin',
    nextAt: expect.stringMatching(/^\d{4}-01-01T03:30:00\.000Z$/),
  });

  // As after a night in which nothing ran.
  await query(
    database.url,
    `update job_definitions set next_at = now() - interval '8 hours'; select pg_notify('jobs', 'changed')`,
  );
  await until('it ran', () => ran.length > 0);
  await until('both have looked', async () => (await queues())[0].running === 0);
  expect(ran).toEqual([5]);
  const [after] = await queues();
  expect(Date.parse(after.schedule.nextAt)).toBeGreaterThan(Date.now());
  expect(b.test.lines.filter(({ msg }) => /job/.test(String(msg)))).toEqual([]);
});

it('runs what its schedule has due once where the clock of the process is behind the database’s', async () => {
  // Daily, in the minute that is over for the database and still to come for the process.
  const minute = new Date();
  const cron = `${minute.getUTCMinutes()} ${minute.getUTCHours()} * * *`;
  const a = await replica({ schedule: { cron, input: { n: 5 } } });
  await ask(a, 'GET', LIST);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 600_000 });
  try {
    await query(
      database.url,
      `update job_definitions set next_at = now() - interval '1 ms'; select pg_notify('jobs', 'changed')`,
    );
    await until('it ran', async () => {
      const { rows } = await query(database.url, `select from pgboss.job where state = 'completed'`);
      return rows.length > 0;
    });
    await sleep(300);
  } finally {
    vi.useRealTimers();
  }
  const { rows } = await query(
    database.url,
    'select count(*)::int as jobs, (select next_at > now() from job_definitions) as later from pgboss.job',
  );
  expect(rows).toEqual([{ jobs: 1, later: true }]);
});

it.each([
  { cron: 'whenever', input: { n: 1 } },
  { cron: '* * * * *', input: { n: 'one' } as never },
])('says at once that a schedule means nothing: $cron', async (schedule) => {
  const a = await replica({ schedule });
  await until('it is told', () =>
    a.test.lines.some(({ msg }) => String(msg).startsWith('jobs cannot begin')),
  );
});

it('runs elsewhere when its worker is gone, and not for ever when it is the job that ends workers', async () => {
  const attempts: number[] = [];
  const a = await replica(
    { retries: 0, run: async ({ attempt }) => void attempts.push(attempt) },
    { WORKER: 'off' },
  );
  const id = (await a.enqueue(1)) as string;
  const dies = `update pgboss.job set state = 'active', heartbeat_on = now() - interval '20 s', started_on = now(),
    retry_count = case when started_on is null then retry_count else retry_count + 1 end
    where state < 'active'; select pg_notify('jobs', 'changed')`;
  await query(database.url, dies);
  const b = await replica({ retries: 0, run: async ({ attempt }) => void attempts.push(attempt) });
  await inState(b, id, 'done');
  expect(attempts).toEqual([2]);

  await ask(b, 'POST', `${LIST}/count/pause`);
  const poison = (await b.enqueue(2)) as string;
  for (let deaths = 1; deaths <= 4; deaths++) {
    await query(database.url, dies);
    await inState(b, poison, deaths < 4 ? 'waiting' : 'dead');
  }
  expect(await one(b, poison)).toMatchObject({ attempts: 4, error: 'The process that ran it is gone' });
});

it('is told when another process has taken over, and its end changes nothing', async () => {
  const signals: string[] = [];
  let release = () => {};
  const a = await replica({
    async run({ signal }) {
      signal.addEventListener('abort', () => signals.push(signal.reason.message));
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  });
  const id = (await a.enqueue(1)) as string;
  await inState(a, id, 'running');
  await query(database.url, 'update pgboss.job set retry_count = retry_count + 1');
  await until('it is told', () => signals.length === 1);
  release();
  expect(signals).toEqual(['The job runs elsewhere']);
  await until('it is forgotten', () => a.test.lines.some(({ msg }) => String(msg).includes('ran elsewhere')));
  expect(await one(a, id)).toMatchObject({ state: 'running' });
});

it('is told when its own process has taken it once more, which goes on with that', async () => {
  const signals: string[] = [];
  const ends: (() => void)[] = [];
  const a = await replica({
    run: ({ attempt, signal }) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => signals.push(`${attempt}: ${signal.reason.message}`));
        ends.push(resolve);
      }),
  });
  const id = (await a.enqueue(1)) as string;
  await until('it runs', () => ends.length === 1);
  // As after a pause of the database, in which its lease has ended.
  await query(database.url, `update pgboss.job set state = 'retry', heartbeat_on = null`);
  await a.enqueue(2);
  await until('both run', () => ends.length === 3);
  expect(signals).toEqual(['1: The job runs elsewhere']);
  ends[0]?.();
  await until('it is forgotten', () => a.test.lines.some(({ msg }) => String(msg).includes('ran elsewhere')));
  expect((await ask(a, 'POST', `${LIST}/count/${id}/cancel`)).status).toBe(204);
  await until('its second attempt is told', () => signals.length === 2);
  expect(signals[1]).toBe('2: The job was cancelled');
  for (const end of ends) end();
});

it('is handed back by a process that ends, runs elsewhere at once, and that counts as no attempt', async () => {
  const attempts: string[] = [];
  const a = await replica(
    {
      run: ({ attempt, signal }) => {
        attempts.push(`a ${attempt}`);
        return never(signal);
      },
    },
    { SHUTDOWN_TIMEOUT_MS: '1500' },
  );
  const id = (await a.enqueue(1)) as string;
  await inState(a, id, 'running');
  const b = await replica({ run: async ({ attempt }) => void attempts.push(`b ${attempt}`) });
  a.test.lifecycle.to('draining');
  await inState(b, id, 'done');
  expect(attempts).toEqual(['a 1', 'b 1']);
});

it('gives a job the rest of the shutdown time, and takes no more', async () => {
  const ran: number[] = [];
  const isDraining = Promise.withResolvers<void>();
  const a = await replica(
    {
      concurrency: 1,
      async run({ input, signal }) {
        await isDraining.promise;
        await sleep(500, undefined, { signal });
        ran.push(input.n);
      },
    },
    { SHUTDOWN_TIMEOUT_MS: '10000' },
  );
  const first = (await a.enqueue(1)) as string;
  await inState(a, first, 'running');
  const second = (await a.enqueue(2)) as string;
  a.test.lifecycle.to('draining');
  isDraining.resolve();
  await a.test.app.close();
  expect(ran).toEqual([1]);
  const { rows } = await query(database.url, 'select id, state from pgboss.job order by created_on');
  expect(rows).toEqual([
    { id: first, state: 'completed' },
    { id: second, state: 'created' },
  ]);
});

it('runs each of many once over two replicas, while the connection that listens is lost again and again', async () => {
  const ran = new Map<number, number>();
  const definition: Definition = {
    async run({ input }) {
      ran.set(input.n, (ran.get(input.n) ?? 0) + 1);
    },
  };
  const a = await replica(definition);
  const b = await replica(definition);
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test listener'
    and datname = current_database()`;
  const count = 400;
  for (let n = 0; n < count; n += 20) {
    await a.test.database.transaction((tx) =>
      a.jobs.enqueueMany(
        tx,
        a.job,
        Array.from({ length: 20 }, (_, at) => ({ n: n + at })),
      ),
    );
    await query(database.url, kill);
  }
  // A request opens what was lost.
  await until('all have run', async () => {
    await ask(a, 'GET', LIST);
    await ask(b, 'GET', LIST);
    return ran.size === count;
  });
  expect([...ran.values()].every((times) => times === 1)).toBe(true);
  await until('all are done', async () => {
    const { rows } = await query(
      database.url,
      `select count(*)::int from pgboss.job where state <> 'completed'`,
    );
    return rows[0].count === 0;
  });
});

it('shows operators how far a job is, and no secrets', async () => {
  const Secret = Type.Object({ apiKey: Type.String(), n: Type.Integer() });
  let release = () => {};
  const a = await replica({
    input: Secret as never,
    async run({ progress }) {
      progress(3, 10, 'reading');
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  });
  const id = await a.test.database.transaction((tx) =>
    a.jobs.enqueue(tx, a.job, { apiKey: 'hunter2-hunter2', n: 1 } as never, {
      actor: { userId: 'u1', requestId: 'r1' },
    }),
  );
  const job = await until('progress is written', async () => {
    const found = await one(a, id as string);
    return found.progress && found;
  });
  expect(job).toMatchObject({
    progress: { done: 3, total: 10, note: 'reading' },
    userId: 'u1',
    requestId: 'r1',
    input: { apiKey: '[redacted]', n: 1 },
  });
  release();
  for (const [method, path] of [
    ['GET', LIST],
    ['GET', `${LIST}/list`],
    ['GET', `${LIST}/count/${id}`],
    ['POST', `${LIST}/count/${id}/cancel`],
    ['POST', `${LIST}/count/${id}/retry`],
    ['POST', `${LIST}/count/pause`],
    ['POST', `${LIST}/count/resume`],
    ['DELETE', `${LIST}/count/${id}`],
    ['POST', '/api/jobs/tick'],
    ['GET', '/api/sync/health'],
  ] as const) {
    expect((await ask(a, method, path, {})).status).toBe(401);
  }
});

it('tells health, metrics and alerts of dead jobs', async () => {
  const a = await replica({
    retries: 0,
    async run() {
      throw new Error('broken');
    },
  });
  const id = (await a.enqueue(1)) as string;
  await inState(a, id, 'dead');
  const { body: health } = await ask(a, 'GET', '/health');
  expect(health.checks.jobs).toMatchObject({
    status: 'degraded',
    error: '1 failed for good',
    details: { waiting: 0, running: 0, dead: 1, oldestSeconds: 0 },
  });
  const { body: metrics } = await ask(a, 'GET', '/metrics');
  expect(metrics).toContain('jobs_dead{queue="count"} 1');
  expect(metrics).toContain('job_attempts_total{queue="count",outcome="failure"} 1');
  expect(metrics).toContain('job_attempt_duration_seconds_count{queue="count"} 1');
  const { body: alerts } = await ask(a, 'GET', '/api/monitoring/alerts');
  expect(alerts.alerts.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(['jobs-depth', 'jobs-late', 'jobs-long', 'jobs-dead']),
  );
});

it('answers with large inputs neither in lists nor without bound', async () => {
  const Text = Type.Object({ text: Type.String() });
  const a = await replica({ input: Text as never }, { WORKER: 'off' });
  const sized = (size: number, text: string) =>
    a.test.database.transaction((tx) =>
      a.jobs.enqueue(tx, a.job, { text: text.repeat(size / text.length) } as never),
    );
  const noise = Array.from({ length: 1_000 }, () => Math.random().toString(36)).join('');
  const small = (await sized(1_000, 'x')) as string;
  const middle = (await sized(100_000, 'x')) as string;
  const large = [(await sized(3_000_000, 'x')) as string, (await sized(3_000_000, noise)) as string];
  const { body } = await ask(a, 'GET', `${LIST}/list`);
  expect(JSON.stringify(body).length).toBeLessThan(10_000);
  const inputs = new Map(body.items.map(({ id, input }: JobView) => [id, input]));
  expect(inputs.get(small)).toEqual({ text: 'x'.repeat(1_000) });
  for (const id of [middle, ...large]) expect(inputs.get(id)).toContain('Larger than 16 KB');
  expect((await one(a, middle)).input).toEqual({ text: 'x'.repeat(100_000) });
  for (const id of large) expect((await one(a, id)).input).toContain('Larger than 256 KB');
});

it('asks for the figures of rules after requests, and not because it has asked', async () => {
  const a = await replica({});
  const asked = vi.spyOn(a.test.database.pool, 'query');
  const counted = () => asked.mock.calls.filter(([text]) => String(text).includes('oldestSeconds')).length;
  const judge = () => {
    const own = a.jobs as unknown as Part;
    for (const rule of own.alertRules ?? []) rule.value();
  };
  const url = await a.test.listen();
  const visit = async () => (await fetch(`${url}/api/status`)).text();
  await visit();
  asked.mockClear();
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    vi.setSystemTime(Date.now() + 20_000);
    judge();
    await until('it has asked', () => counted() === 1);
    for (let n = 0; n < 5; n++) {
      vi.setSystemTime(Date.now() + 20_000);
      judge();
    }
    expect(counted()).toBe(1);
    await visit();
    await until('the request is counted, and they are asked again', () => {
      vi.setSystemTime(Date.now() + 20_000);
      judge();
      return counted() === 2;
    });
  } finally {
    vi.useRealTimers();
  }
});

it('runs what is due when an outside scheduler asks, and answers when it is done', async () => {
  const ran: number[] = [];
  const definition: Definition = {
    async run({ input }) {
      await sleep(200);
      ran.push(input.n);
    },
  };
  const off = await replica(definition, { WORKER: 'off' });
  await off.enqueue(1);
  expect((await ask(off, 'POST', '/api/jobs/tick')).status).toBe(409);
  const a = await replica(definition);
  expect(await ask(a, 'POST', '/api/jobs/tick')).toEqual({ status: 200, body: { idle: true, running: 0 } });
  expect(ran).toEqual([1]);
});

it('answers an outside scheduler 503 while the database is away, and 200 once it is back', async () => {
  const url = new URL(database.url);
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const ran: number[] = [];
  const a = await replica({ run: async ({ input }) => void ran.push(input.n) }, { DATABASE_URL: url.href });
  const tick = () => ask(a, 'POST', '/api/jobs/tick');
  expect((await tick()).status).toBe(200);
  await proxy.refuse();
  const away = await tick();
  expect(away).toMatchObject({ status: 503, body: { title: 'Service unavailable' } });
  await proxy.pass();
  await until('it is back', async () => (await tick()).status === 200);
  await a.enqueue(1);
  expect((await tick()).status).toBe(200);
  expect(ran).toEqual([1]);
  await open.pop()?.[Symbol.asyncDispose]();
  await proxy.stop();
});

it('tells of each job that pulls from a service how far behind it is', async () => {
  let fails = true;
  const a = await replica({
    pullsFrom: 'the CRM',
    retries: 0,
    async run() {
      if (fails) throw new Error('answered 503');
    },
  });
  const health = async () => (await ask(a, 'GET', '/api/sync/health')).body.syncs[0];
  expect(await health()).toMatchObject({
    job: 'count',
    service: 'the CRM',
    lastSuccessAt: null,
    lagSeconds: null,
  });
  await a.enqueue(1);
  await until('the failure is noted', async () => (await health()).failures === 1);
  expect(await health()).toMatchObject({ lastError: 'answered 503' });
  fails = false;
  await a.enqueue(1);
  const well = await until('the success is noted', async () => {
    const found = await health();
    return found.lastSuccessAt && found;
  });
  expect(well).toMatchObject({ failures: 0, lastError: null });
  expect(well.lagSeconds).toBeLessThan(60);
});

it.each(['done', 'dead'] as const)(
  'deletes what has been kept long enough, with its steps, when a worker has run a job: %s',
  async (end) => {
    const a = await replica({
      async run({ step }) {
        await step('one', async () => 1);
      },
    });
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) {
      const id = (await a.enqueue(n)) as string;
      await inState(a, id, 'done');
      ids.push(id);
    }
    const age = (id: string | undefined, state: string, days: number) =>
      query(
        database.url,
        `update pgboss.job set state = '${state}', completed_on = now() - interval '${days} days' where id = '${id}'`,
      );
    await age(ids[0], 'completed', 8);
    await age(ids[1], 'completed', 6);
    await age(ids[2], 'failed', 8);
    await age(ids[3], 'failed', 31);
    // Another process, which has deleted nothing yet.
    const b = await replica({
      retries: 0,
      async run() {
        if (end === 'dead') throw new Error('broken');
      },
    });
    await ask(a, 'POST', `${LIST}/count/pause`);
    await a.test.app.close();
    await ask(b, 'POST', `${LIST}/count/resume`);
    const last = (await b.enqueue(9)) as string;
    await inState(b, last, end);
    await until('they are gone', async () => {
      const { rows } = await query(database.url, 'select id from pgboss.job');
      return rows.length === 3 && rows;
    });
    const { rows } = await query(database.url, 'select job_id from job_steps');
    expect(rows.map(({ job_id }) => job_id).sort()).toEqual([ids[1], ids[2]].sort());
  },
);
