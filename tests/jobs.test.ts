/** Jobs in processes of their own: what a signal, a kill and an absent database leave undone, others do. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { Keyring, keyIdOf } from '../server/platform/database/encryption/keyring.ts';
import { LETTERS } from './support/encrypted-fixture/letters.ts';
import { MARKS } from './support/jobs-fixture/marks.ts';
import { createDatabase, query, type TestDatabase } from './support/postgres.ts';
import { freePort, type SpawnedServer, startServer } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';
import { COUNTING_TIMERS, timersFired } from './support/timers.ts';
import { until } from './support/until.ts';

const support = join(import.meta.dirname, 'support');
const main = join(support, 'jobs-fixture', 'main.ts');
interface Mark {
  n: number;
  what: string;
  pid: number;
  at: Date;
}

/** A database of its own, and the processes that share it. */
class Scene implements AsyncDisposable {
  readonly processes: SpawnedServer[] = [];
  readonly database: TestDatabase;

  private constructor(database: TestDatabase) {
    this.database = database;
  }

  static async set(): Promise<Scene> {
    const database = await createDatabase();
    await query(database.url, MARKS);
    return new Scene(database);
  }

  /** Enqueues alone. */
  async server(): Promise<SpawnedServer> {
    const started = await this.start({ WORKER: 'off' });
    await started.ready();
    return started;
  }

  async worker(env: Record<string, string> = {}, flags: string[] = []): Promise<SpawnedServer> {
    const started = await this.start(env, { args: ['worker'], flags });
    await until('the worker has begun', () => {
      if (started.child.exitCode !== null) throw new Error(started.output());
      return started.output().includes('running jobs');
    });
    return started;
  }

  async start(env: Record<string, string> = {}, options: Parameters<typeof startServer>[1] = {}) {
    const started = await startServer({ DATABASE_URL: this.database.url, ...env }, { main, ...options });
    this.processes.push(started);
    return started;
  }

  async enqueue({ url }: SpawnedServer, job: string, count: number, ms: number): Promise<void> {
    const answer = await fetch(`${url}/api/marks?job=${job}&count=${count}&ms=${ms}`, { method: 'POST' });
    expect(answer.status).toBe(201);
  }

  async query(text: string) {
    return (await query(this.database.url, text)).rows;
  }

  marks(): Promise<Mark[]> {
    return this.query('select * from marks order by at');
  }

  allDone(count: number) {
    return until(
      `${count} jobs are done`,
      async () => {
        const [row] = await this.query(
          `select count(*)::int from pgboss.job where state = 'completed' and name in ('work', 'stepwise')`,
        );
        return row.count === count;
      },
      120_000,
    );
  }

  async [Symbol.asyncDispose]() {
    for (const one of this.processes) await one[Symbol.asyncDispose]();
    await this.database.drop();
  }
}

it.concurrent('runs elsewhere within 30 s what a killed worker had begun, and loses nothing', async () => {
  await using scene = await Scene.set();
  const web = await scene.server();
  const [first, second] = [await scene.worker(), await scene.worker()];
  // Some run at any moment of the next five seconds, on a slow machine as well.
  await scene.enqueue(web, 'work', 30, 5_000);
  await until(
    'both are at work',
    async () => new Set((await scene.marks()).map(({ pid }) => pid)).size === 2,
  );
  await sleep(Math.random() * 300);
  expect(await first.end('SIGKILL')).toBe('SIGKILL');
  const killedAt = new Date();
  await scene.allDone(30);
  const found = await scene.marks();
  const done = new Set(found.filter(({ what }) => what === 'done').map(({ n }) => n));
  expect(done.size).toBe(30);
  const cut = found.filter(
    ({ n, what, pid }) =>
      what === 'begun' &&
      pid === first.child.pid &&
      !found.some((one) => one.n === n && one.what === 'done' && one.pid === first.child.pid),
  );
  expect(cut.length).toBeGreaterThan(0);
  for (const { n } of cut) {
    const again = found.find((one) => one.n === n && one.what === 'begun' && one.pid === second.child.pid);
    expect((again?.at.getTime() ?? Number.POSITIVE_INFINITY) - killedAt.getTime()).toBeLessThan(30_000);
  }
});

it.concurrent('hands back at SIGTERM what does not end in time, which goes on elsewhere behind its last step', async () => {
  await using scene = await Scene.set();
  const web = await scene.server();
  const workers = [
    await scene.worker({ SHUTDOWN_TIMEOUT_MS: '2000' }),
    await scene.worker({ SHUTDOWN_TIMEOUT_MS: '2000' }),
  ];
  // It has far more left after its first step than the second that the worker waits for it.
  await scene.enqueue(web, 'stepwise', 1, 3_000);
  const [step] = await until('a step is done', async () => {
    const found = await scene.marks();
    return found.length > 0 && found;
  });
  const first = workers.find(({ child }) => child.pid === step?.pid);
  const second = workers.find((one) => one !== first);
  expect(await first?.end()).toBe(0);
  const handedBackAt = Date.now();
  await scene.allDone(1);
  const found = await scene.marks();
  // The first is not repeated.
  expect(found.map(({ what }) => what)).toEqual(['one', 'two', 'three', 'done']);
  expect(found.at(-1)?.pid).toBe(second?.child.pid);
  // Two steps; at the end of its lease they would begin 10 s later at the earliest.
  expect((found.at(-1)?.at.getTime() ?? 0) - handedBackAt).toBeLessThan(14_000);
  const rows = await scene.query('select retry_count from pgboss.job');
  expect(rows).toEqual([{ retry_count: 0 }]);
});

it('ends at SIGTERM in every state: without jobs, while it waits for the database, and at work', async () => {
  await using scene = await Scene.set();
  const idle = await scene.worker();
  expect(await idle.end()).toBe(0);

  const port = await freePort();
  const nowhere = await scene.start(
    {
      DATABASE_URL: `postgres://u:p@127.0.0.1:${await freePort()}/d`,
      METRICS_PORT: String(port),
      METRICS_HOST: '127.0.0.1',
    },
    { args: ['worker'] },
  );
  const probe = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      ({ status }) => status,
      () => undefined,
    );
  await until('it is alive', async () => (await probe('/live')) === 200);
  await until('it has missed the database', () => nowhere.output().includes('ECONNREFUSED'));
  expect(await probe('/ready')).toBe(503);
  expect(nowhere.output()).not.toContain('running jobs');
  expect(await nowhere.end()).toBe(0);

  const web = await scene.server();
  const busy = await scene.worker();
  await scene.enqueue(web, 'work', 1, 3_000);
  await until('it is at work', async () => (await scene.marks()).length > 0);
  expect(await busy.end()).toBe(0);
  expect((await scene.marks()).map(({ what }) => what)).toEqual(['begun', 'done']);
});

it.each([
  { of: 'a worker at work', jobs: 1 },
  { of: 'a worker whose look for jobs hangs', jobs: 0 },
])('ends within SHUTDOWN_TIMEOUT_MS while the database is frozen: $of', async ({ jobs }) => {
  await using scene = await Scene.set();
  const url = new URL(scene.database.url);
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const web = await scene.server();
  const frozen = await scene.worker({ DATABASE_URL: url.href, SHUTDOWN_TIMEOUT_MS: '3000' });
  if (jobs > 0) {
    await scene.enqueue(web, 'work', jobs, 60_000);
    await until('it is at work', async () => (await scene.marks()).length === 1);
  } else {
    // The end of this one has the worker look, once nothing answers.
    await scene.enqueue(web, 'work', 1, 0);
    await until('it is done', async () => (await scene.marks()).length === 2);
  }
  proxy.swallow();
  const began = performance.now();
  await frozen.end();
  // Without the setting it would have 8 s.
  expect(performance.now() - began).toBeLessThan(8_000);
  await proxy.stop();
});

it.concurrent('goes on after the database was away, and does what was enqueued meanwhile', async () => {
  await using scene = await Scene.set();
  const url = new URL(scene.database.url);
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const web = await scene.server();
  await scene.worker({ DATABASE_URL: url.href, DB_CONNECT_TIMEOUT_MS: '1000' });
  await scene.enqueue(web, 'work', 20, 300);
  await until('it is at work', async () => (await scene.marks()).some(({ what }) => what === 'done'));
  await proxy.refuse();
  await scene.enqueue(web, 'work', 20, 10);
  await sleep(5_000);
  await proxy.pass();
  await scene.allDone(40);
  await proxy.stop();
});

it.concurrent('buries a job that ends its workers, after four of them', async () => {
  await using scene = await Scene.set();
  const web = await scene.server();
  await scene.enqueue(web, 'poison', 1, 0);
  for (let deaths = 1; deaths <= 4; deaths++) {
    const victim = await scene.start({}, { args: ['worker'] });
    expect(await victim.ended(60_000)).toBe('SIGKILL');
    // As if its lease had ended.
    await scene.query(
      `update pgboss.job set heartbeat_on = heartbeat_on - interval '20 s' where state = 'active'`,
    );
  }
  await scene.worker();
  await until('it is dead', async () => {
    const [row] = await scene.query('select state from pgboss.job');
    return row.state === 'failed';
  });
  expect(await scene.marks()).toHaveLength(4);
});

it.concurrent('does not end twice what a frozen worker had begun, which is told when it thaws', async () => {
  await using scene = await Scene.set();
  const web = await scene.server();
  const workers = [await scene.worker(), await scene.worker()];
  await scene.enqueue(web, 'work', 1, 20_000);
  const [begun] = await until('it is at work', async () => {
    const found = await scene.marks();
    return found.length > 0 && found;
  });
  const frozen = workers.find(({ child }) => child.pid === begun?.pid);
  const other = workers.find((one) => one !== frozen);
  frozen?.child.kill('SIGSTOP');
  // As if it had been frozen for so long.
  await scene.query(
    `update pgboss.job set heartbeat_on = now() - interval '60 s'; select pg_notify('jobs', 'changed')`,
  );
  await until('the other has begun', async () => (await scene.marks()).length === 2);
  frozen?.child.kill('SIGCONT');
  await until('it is told', () => frozen?.output().includes('The job runs elsewhere'));
  await scene.allDone(1);
  expect((await scene.marks()).map(({ what, pid }) => [what, pid])).toEqual([
    ['begun', frozen?.child.pid],
    ['begun', other?.child.pid],
    ['done', other?.child.pid],
  ]);
});

it('asks nothing and sets off no timer, with all parts on and a worker beside it, while there is nothing to do', async () => {
  await using scene = await Scene.set();
  const env = { DB_IDLE_TIMEOUT_MS: '1000' };
  const both = [
    await scene.start(env, { flags: COUNTING_TIMERS }),
    await scene.worker(env, COUNTING_TIMERS),
  ] as const;
  await both[0].ready();
  const [, cluster = '', name = ''] = /^(.*)\/([^/]+)$/.exec(scene.database.url) ?? [];
  const seen = async () => {
    const { rows } = await query(
      `${cluster}/postgres`,
      `select array_agg(query_start order by pid) as asked, array_agg(pid order by pid) as pids
        from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    );
    return rows[0] as { pids: number[]; asked: Date[] };
  };
  // Alerts ask for the last time 2 s to 4 s after the last request, on a timer that fires each second until then.
  const atRest = async () => {
    await timersFired(...both);
    await sleep(3_000);
    return isDeepStrictEqual(await timersFired(...both), [0, 0]) && (await seen()).asked.length === 2;
  };
  await until('both listen, and do nothing else for 3 s', atRest);
  const before = await seen();
  await sleep(5_000);
  expect(await timersFired(...both)).toEqual([0, 0]);
  expect(await seen()).toEqual(before);
});

it('answers metrics and probes of a worker on METRICS_PORT', async () => {
  await using scene = await Scene.set();
  const port = await freePort();
  const started = await scene.worker({ METRICS_PORT: String(port), METRICS_HOST: '127.0.0.1' });
  const address = `http://127.0.0.1:${port}`;
  expect((await fetch(`${address}/live`)).status).toBe(200);
  expect((await fetch(`${address}/ready`)).status).toBe(200);
  expect(await (await fetch(`${address}/metrics`)).text()).toContain('jobs_running{queue="work"} 0');
  expect(await started.end()).toBe(0);
});

it('enqueues a job that pulls, by resync, and says which there are', async () => {
  await using scene = await Scene.set();
  const unknown = await scene.start({}, { args: ['resync', 'nothing'] });
  expect(await unknown.ended()).toBe(1);
  expect(unknown.output()).toContain("No job 'nothing' pulls from a service.");
});

it('re-encrypts columns as a job, where there are any', async () => {
  await using scene = await Scene.set();
  const letters = join(support, 'encrypted-fixture', 'main.ts');
  const [old, fresh] = [
    'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt',
    'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE',
  ];
  const ring = new Keyring();
  ring.use([old]);
  const { url } = scene.database;
  await query(url, LETTERS);
  await query(url, 'insert into letters (body) select $1 from generate_series(1, 250)', [
    ring.encrypt('my diary', 'letters.body'),
  ]);
  await query(url, 'insert into encryption_keys (id) values ($1)', [keyIdOf(old)]);
  const refused = await scene.start({ ENCRYPTION_KEY: fresh }, { main: letters, args: ['worker'] });
  expect(await refused.ended()).toBe(78);
  expect(refused.output()).toContain(`lacks the key ${keyIdOf(old)},`);
  const env = { ENCRYPTION_KEY: `${fresh},${old}` };
  await scene.start(env, { main: letters });
  const enqueueing = await scene.start(env, { main: letters, args: ['re-encrypt'] });
  expect(await enqueueing.ended()).toBe(0);
  expect(enqueueing.output()).toMatch(/^enqueued re-encrypt /);
  const rows = () =>
    query(url, 'select count(*)::int from letters where starts_with(body, $1)', [`v1.${keyIdOf(fresh)}.`]);
  await expect.poll(async () => (await rows()).rows).toEqual([{ count: 250 }]);
});
