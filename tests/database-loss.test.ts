import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Status } from '#contracts/status.ts';
import { answers, answersOf, portIn, toldToStrangers } from './support/answers.ts';
import { copyBuild } from './support/build.ts';
import { THINGS } from './support/fixture/things.ts';
import { createDatabase, query } from './support/postgres.ts';
import { startServer, WITH_THINGS } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';
import { until } from './support/until.ts';

/** A database behind a proxy that fails on demand. */
async function behindProxy() {
  const database = await createDatabase();
  await query(database.url, THINGS);
  const url = new URL(database.url);
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  return { database, proxy, url: url.href };
}

const readyIs = async (url: string) => (await fetch(`${url}/ready`)).status;

/** A request that needs the database. A silent database keeps it waiting: 0 is no answer within a second. */
const apiIs = (url: string) =>
  fetch(`${url}/api/things`, { signal: AbortSignal.timeout(1_000) }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => 0,
  );

/**
 * Asks the API, `/ready` and the API again, four times a second.
 *
 * @returns each sample in which `/ready` contradicts what the API said before and after it.
 */
async function disagreements(url: string, samples: number): Promise<string[]> {
  const found: string[] = [];
  for (let n = 0; n < samples; n++) {
    const next = sleep(250);
    const before = await apiIs(url);
    const ready = await readyIs(url);
    const api = await apiIs(url);
    if (before === api && api !== 0 && ready !== api) found.push(`sample ${n}: /ready ${ready}, API ${api}`);
    await next;
  }
  return found;
}

/** From when the server has met the loss: on a busy machine it learns of it later than this process. */
const apiNotices = (url: string) => until('the API to fail', async () => (await apiIs(url)) !== 200);

/** Asks `/ready` until it has this status. */
const readyTurns = (url: string, status: number) =>
  until(`/ready to be ${status}`, async () => (await readyIs(url)) === status);

const QUICK = { DB_CONNECT_TIMEOUT_MS: '4000', DB_STATEMENT_TIMEOUT_MS: '4000' };

// From its sources a server takes a while to start where many do.
describe.concurrent('a database', () => {
  it.each([
    ['refuses', (proxy: TcpProxy) => proxy.refuse()],
    ['swallows', (proxy: TcpProxy) => proxy.swallow()],
  ])(
    'that is lost because it %s: from 2 s on /ready agrees with the API, the rest stays, and its return is seen',
    async (_how, lose) => {
      const { proxy, url } = await behindProxy();
      await using server = await startServer({ DATABASE_URL: url, ...QUICK }, { main: WITH_THINGS });
      await server.ready();
      await apiIs(server.url);
      await lose(proxy);
      await apiNotices(server.url);
      await sleep(2_000);
      expect(await disagreements(server.url, 28)).toEqual([]);
      expect(await readyIs(server.url)).toBe(503);
      expect(await answersOf(server.url)).toEqual(answers(200, 503));
      const told = await toldToStrangers(server.url);
      expect(told).toMatch(/database: (it cannot be reached|no answer within \d+ ms)/);
      expect(told).not.toMatch(/127\.0\.0\.1|ECONN|postgres:/);
      expect(told).not.toMatch(portIn(proxy.port));
      await proxy.pass();
      await readyTurns(server.url, 200);
      await until('the API to answer', async () => (await apiIs(server.url)) === 200);
      expect(await server.end()).toBe(0);
      expect(server.log().map(({ msg }) => msg)).toContain('The database is back');
      await proxy.stop();
    },
  );

  it('that is lost for a moment: one lost connection does not turn /ready', async () => {
    const { proxy, url } = await behindProxy();
    await using server = await startServer({ DATABASE_URL: url });
    await server.ready();
    proxy.cut();
    // A passing result is good for 5 s.
    const end = performance.now() + 7_000;
    while (performance.now() < end) {
      expect(await readyIs(server.url)).toBe(200);
      await sleep(200);
    }
    await proxy.stop();
  });

  it('that refuses, and nobody asks the API: /ready says so when it is first asked after 2 s', async () => {
    const { proxy, url } = await behindProxy();
    await using server = await startServer({ DATABASE_URL: url, LOG_LEVEL: 'debug' });
    await server.ready();
    await proxy.refuse();
    await until('the loss in the log', () => server.output().includes('database connection was closed'));
    await sleep(2_000);
    expect(await readyIs(server.url)).toBe(503);
    await proxy.pass();
    await readyTurns(server.url, 200);
    await proxy.stop();
  });

  it('that restarts: /ready does not flap', async () => {
    const { proxy, url } = await behindProxy();
    await using server = await startServer({ DATABASE_URL: url }, { main: WITH_THINGS });
    await server.ready();
    // Only a restart that was over in time is judged: a busy machine may need several to make one.
    for (let round = 0; ; round++) {
      expect(round).toBeLessThan(20);
      const began = performance.now();
      await proxy.refuse();
      const ready = [await readyIs(server.url)];
      while ((await apiIs(server.url)) !== 503) ready.push(await readyIs(server.url));
      await proxy.pass();
      do ready.push(await readyIs(server.url));
      while ((await apiIs(server.url)) !== 200);
      if (performance.now() - began < 1_500) {
        expect(new Set(ready)).toEqual(new Set([200]));
        break;
      }
      await readyTurns(server.url, 200);
    }
    await proxy.stop();
  });

  it('that comes and goes: /ready does not lag behind the API', async () => {
    const { proxy, url } = await behindProxy();
    await using server = await startServer({ DATABASE_URL: url }, { main: WITH_THINGS });
    await server.ready();
    for (let round = 0; round < 2; round++) {
      await proxy.refuse();
      await apiNotices(server.url);
      await sleep(2_000);
      expect(await disagreements(server.url, 2)).toEqual([]);
      await proxy.pass();
      expect(await disagreements(server.url, 8)).toEqual([]);
    }
    await readyTurns(server.url, 200);
    await proxy.stop();
  });

  it.each(['refuses', 'swallows'])(
    'that is away before the start, because it %s: the process waits, and is ready when it has come',
    async (how) => {
      const { proxy, url } = await behindProxy();
      if (how === 'refuses') await proxy.refuse();
      else proxy.swallow();
      await using server = await startServer({ DATABASE_URL: url, ...QUICK });
      await server.open();
      // Loading the application blocks the first answers, for long on a busy machine.
      await until('the page', () =>
        fetch(server.url).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      await sleep(3_000);
      expect(await answersOf(server.url)).toEqual(answers(503, 503));
      await proxy.pass();
      await readyTurns(server.url, 200);
      expect(await answersOf(server.url)).toEqual(answers(200, 200));
      const warnings = server.log().filter(({ level }) => level === 'warn');
      expect(warnings.length).toBeLessThan(3);
      await proxy.stop();
    },
  );

  it('that is not migrated, under MIGRATE_ON_START=false: a process waits for the migration, then is ready without a restart', async () => {
    const database = await createDatabase();
    await using build = await copyBuild({ '9000_thing': 'create table thing (id int)' });
    const env = { DATABASE_URL: database.url, MIGRATE_ON_START: 'false' };
    const { main } = build;
    await using server = await startServer(env, { main });
    await server.open();
    const told = async () => (await (await fetch(`${server.url}/api/status`)).json()) as Status;
    const status = await until('what is pending', async () => {
      const said = await told();
      return said.problem?.includes('pending') && said;
    });
    expect(await answersOf(server.url)).toEqual(answers(503, 503));
    expect(status).toMatchObject({
      state: 'migrating',
      problem: expect.stringMatching(/^Migrations pending: 1\. Run .*main\.js migrate/),
    });

    const run = async (...args: string[]) => {
      await using migrate = await startServer(env, { main, args: ['migrate', ...args] });
      return { code: await migrate.ended(), output: migrate.output() };
    };
    const before = await run('--status');
    expect(before.code).toBe(0);
    expect(before.output).toMatch(/^pending {2}9000_thing$/m);
    expect(before.output).not.toMatch(/^applied .*9000/m);
    const dry = await run('--dry-run');
    expect(dry).toMatchObject({ code: 0, output: expect.stringContaining('create table thing (id int)') });
    expect(dry.output).not.toContain('applied');
    expect((await query(database.url, `select to_regclass('thing') as it`)).rows).toEqual([{ it: null }]);
    expect(await readyIs(server.url)).toBe(503);

    expect(await run()).toMatchObject({ code: 0, output: expect.stringMatching(/9000_thing.*\n1 applied/) });
    await readyTurns(server.url, 200);
    expect((await run('--status')).output).toMatch(/^applied {2}9000_thing$/m);
    expect(await run('--dry-run')).toMatchObject({ code: 0, output: '-- nothing is pending\n' });
    expect(await run('--nonsense')).toMatchObject({
      code: expect.any(Number),
      output: expect.stringContaining('Usage'),
    });
  });

  it('that is lost under MIGRATE_ON_START=false: a process survives that while it waits', async () => {
    const { database, proxy, url } = await behindProxy();
    await using build = await copyBuild({ '9000_thing': 'create table thing (id int)' });
    const env = { MIGRATE_ON_START: 'false', ...QUICK };
    await using server = await startServer({ ...env, DATABASE_URL: url }, { main: build.main });
    await server.open();
    await until('what is pending', async () =>
      (await toldToStrangers(server.url)).includes('main.js migrate'),
    );
    await proxy.refuse();
    for (let n = 0; n < 10; n++) {
      await sleep(300);
      expect(await readyIs(server.url)).toBe(503);
    }
    await until('the loss', async () =>
      (await toldToStrangers(server.url)).includes('The database cannot be reached'),
    );
    await using migrate = await startServer(
      { DATABASE_URL: database.url },
      { main: build.main, args: ['migrate'] },
    );
    expect(await migrate.ended()).toBe(0);
    await proxy.pass();
    await readyTurns(server.url, 200);
    await proxy.stop();
  });

  it('is asked nothing while nobody asks the server anything', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url, DB_IDLE_TIMEOUT_MS: '1000' });
    await server.ready();
    // With no connection left, every query opens a session. (PostgreSQL's own upkeep counts as transactions.)
    const [, cluster = '', name = ''] = /^(.*)\/([^/]+)$/.exec(database.url) ?? [];
    const counts = async () => {
      const { rows } = await query(
        `${cluster}/postgres`,
        `select sessions, (select count(*) from pg_stat_activity
           where datname = $1 and backend_type = 'client backend') as open
         from pg_stat_database where datname = $1`,
        [name],
      );
      return rows[0];
    };
    let before: { open: string } | undefined;
    await until('the pool to let go of what it does not use', async () => {
      before = await counts();
      // Alerts ask for the last time up to 4 s after the last request.
      await sleep(5_000);
      return before?.open === '0' && isDeepStrictEqual(before, await counts());
    });
    const cpu = await processorTime(server.child.pid);
    await sleep(10_000);
    expect(await counts()).toEqual(before);
    // Ten seconds of nothing cost next to nothing.
    if (cpu !== undefined) {
      const used = ((await processorTime(server.child.pid)) ?? 0) - cpu;
      console.log(`an idle server used ${used * 10} ms of processor time in 10 s`);
      expect(used * 10).toBeLessThan(200);
    }
  });
});

/** User and system time so far, in clock ticks of 10 ms; undefined where there is no /proc. */
async function processorTime(pid: number | undefined): Promise<number | undefined> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && Number(fields[11]) + Number(fields[12]);
}
