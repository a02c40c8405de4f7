/** Restarts and stops, as an orchestrator and a load balancer see them. */
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { copyBuild } from '../../tests/support/build.ts';
import { createDatabase } from '../../tests/support/postgres.ts';
import { freePort, type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { until } from '../../tests/support/until.ts';
import { failed, Ledger, Load, SUBJECT, send, summary } from './support/load.ts';
import { CHECK_MS, startBalancer } from './support/machines.ts';
import { fullOrShort, has, ms, record, within } from './support/suite.ts';

/** Longer than the balancer takes to notice, in milliseconds. */
const DELAY = 2_000;

/** Two replicas behind a balancer, and how to replace them one after the other. */
async function twoReplicas(env: Record<string, string>) {
  const ports = [await freePort(), await freePort()] as const;
  const start = async (port: number, main?: string): Promise<SpawnedServer> => {
    const server = await startServer({ ...env, PORT: String(port) }, main === undefined ? {} : { main });
    await server.ready();
    return server;
  };
  const replicas = await Promise.all(ports.map((port) => start(port)));
  const balancer = await startBalancer(ports);
  await until('both replicas to be in use', async () => (await balancer.up()) === 2);
  return {
    balancer,
    /** One at a time, as orchestrators do: the next goes when the one before is back in use. */
    async roll(main?: string): Promise<void> {
      for (const [n, port] of ports.entries()) {
        expect(await replicas[n]?.end()).toBe(0);
        replicas[n] = await start(port, main);
        await until('the new replica to be in use', async () => (await balancer.up()) === 2);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const replica of replicas) await replica[Symbol.asyncDispose]();
      await balancer[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(!has('haproxy'))('replaced behind a load balancer', () => {
  it('no request fails while two replicas are restarted over and over', async () => {
    const database = await createDatabase();
    await using replicas = await twoReplicas({ DATABASE_URL: database.url, DRAIN_DELAY_MS: String(DELAY) });
    const ledger = new Ledger();
    const load = Load.start(replicas.balancer.url, ledger, 200);
    const rounds = fullOrShort(20, 3);
    for (let round = 0; round < rounds; round++) await replicas.roll();
    const outcomes = await load.stop();
    const lost = failed(outcomes);
    record(
      'rolling',
      `${lost.length} of ${outcomes.length.toLocaleString('en')} failed, ${rounds} restarts of each replica, DRAIN_DELAY_MS=${DELAY}, checks every ${CHECK_MS} ms`,
    );
    expect(summary(lost)).toBe('none');
    await ledger.settle(database.url);
  });

  it('no request fails while a release with a new column takes over', async () => {
    const database = await createDatabase();
    await using release = await copyBuild({
      '9000_expand': `alter table ${SUBJECT.table} add column colour text not null default 'none'`,
    });
    await using replicas = await twoReplicas({ DATABASE_URL: database.url, DRAIN_DELAY_MS: String(DELAY) });
    const ledger = new Ledger();
    const load = Load.start(replicas.balancer.url, ledger, 200);
    await sleep(1_000);
    await replicas.roll(release.main);
    await sleep(1_000);
    const outcomes = await load.stop();
    const lost = failed(outcomes);
    const slowest = Math.max(...outcomes.map((outcome) => outcome.ms));
    record(
      'expand',
      `${lost.length} of ${outcomes.length.toLocaleString('en')} failed, the slowest took ${ms(slowest)}`,
    );
    expect(summary(lost)).toBe('none');
    await ledger.settle(database.url);
  });
});

/** Takes a table away from everybody for a while, so that a real request takes that long. */
async function lockTable(databaseUrl: string): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  await client.query(`begin; lock table ${SUBJECT.table} in access exclusive mode`);
  return { release: () => client.end() };
}

const PATIENT = { DB_STATEMENT_TIMEOUT_MS: '120000', REQUEST_TIMEOUT_MS: '120000' };

describe('a signal', () => {
  it('a request of ten seconds is finished', async () => {
    const database = await createDatabase();
    await using server = await startServer({
      DATABASE_URL: database.url,
      SHUTDOWN_TIMEOUT_MS: '25000',
      ...PATIENT,
    });
    await server.ready();
    const lock = await lockTable(database.url);
    const agent = new Agent({ keepAlive: true });
    const asked = send(agent, `${server.url}${SUBJECT.path}`);
    await sleep(500);
    const exit = server.end();
    await sleep(fullOrShort(9_500, 4_500));
    await lock.release();
    const answer = await asked;
    const answered = performance.now();
    expect([answer.status, answer.headers.connection]).toEqual([200, 'close']);
    expect(await exit).toBe(0);
    const took = performance.now() - answered;
    record(
      'slow',
      `200 after ${(answer.ms / 1_000).toFixed(1)} s with Connection: ${answer.headers.connection}; exit ${ms(took)} later`,
    );
    expect(took).toBeLessThan(within(1_000));
    agent.destroy();
  });

  it('/ready turns at once, /live stays, and idle connections are left open for the delay', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url, DRAIN_DELAY_MS: '1500' });
    await server.ready();
    const idle = await Promise.all(Array.from({ length: 500 }, () => idleConnection(server.port)));
    const agent = new Agent({ keepAlive: true });
    const live: number[] = [];
    const signalled = performance.now();
    server.child.kill('SIGTERM');
    const turned = await until(
      '/ready to say no',
      async () => {
        const answer = await send(agent, `${server.url}/ready`);
        return answer.status === 503 && performance.now() - signalled;
      },
      5_000,
      5,
    );
    let closedEarly = 0;
    while (performance.now() - signalled < 1_200) {
      const answer = await send(agent, `${server.url}/live`);
      const closed = idle.filter(({ destroyed }) => destroyed).length;
      // What a machine that stood still shows later tells nothing of the delay.
      if (performance.now() - signalled > 1_500) break;
      live.push(answer.status);
      expect(answer.headers.connection).toBe('close');
      closedEarly = closed;
      await sleep(20);
    }
    expect(await server.ended()).toBe(0);
    const took = performance.now() - signalled;
    record('probes', `/ready 503 after ${ms(turned)}; /live 200 in ${live.length} of ${live.length}`);
    record(
      'idle',
      `${closedEarly} closed before the delay of 1,500 ms was over; exit ${ms(took)} after the signal`,
    );
    expect(live.filter((status) => status !== 200)).toEqual([]);
    expect(turned).toBeLessThan(within(100));
    expect(closedEarly).toBe(0);
    expect(took).toBeLessThan(within(2_500));
    agent.destroy();
  });

  it('a request that never ends is given up at the deadline, and named', async () => {
    const database = await createDatabase();
    await using server = await startServer({
      DATABASE_URL: database.url,
      SHUTDOWN_TIMEOUT_MS: '3000',
      ...PATIENT,
    });
    await server.ready();
    const lock = await lockTable(database.url);
    const agent = new Agent();
    const asked = send(agent, `${server.url}${SUBJECT.path}?limit=7`);
    await sleep(300);
    const signalled = performance.now();
    expect(await server.end()).toBe(1);
    const took = performance.now() - signalled;
    expect((await asked).status).toBe(0);
    await lock.release();
    const last = server.log().findLast(({ level }) => level === 'error');
    record(
      'endless',
      `exit 1 after ${ms(took)}, SHUTDOWN_TIMEOUT_MS=3000; the log names ${/: (GET .*)$/.exec(String(last?.msg))?.[1]}`,
    );
    expect(last?.msg).toMatch(/SHUTDOWN_TIMEOUT_MS=3000.*1 requests/);
    expect(last?.msg).toMatch(new RegExp(`GET ${SUBJECT.path} for [3-9]\\d\\d\\d ms`));
    expect(Math.abs(took - 3_000)).toBeLessThan(within(500));
  });

  it('a second signal ends it at once', async () => {
    const database = await createDatabase();
    await using server = await startServer({
      DATABASE_URL: database.url,
      DRAIN_DELAY_MS: '60000',
      SHUTDOWN_TIMEOUT_MS: '90000',
    });
    await server.ready();
    server.child.kill('SIGTERM');
    await until('the first signal', async () => (await fetch(`${server.url}/ready`)).status === 503);
    const signalled = performance.now();
    expect(await server.end()).toBe(1);
    const took = performance.now() - signalled;
    record('second', `exit 1 after ${ms(took)}`);
    expect(took).toBeLessThan(within(200));
  });
});

it('after an uncaught error, requests in flight are answered before the end', async () => {
  const database = await createDatabase();
  // A timer that throws is the commonest way for an error to be caught by nobody.
  const crash = encodeURIComponent(
    `process.on('SIGWINCH', () => setTimeout(() => { throw new Error('nobody caught this') }))`,
  );
  await using server = await startServer({
    DATABASE_URL: database.url,
    NODE_OPTIONS: `--import data:text/javascript,${crash}`,
  });
  await server.ready();
  const lock = await lockTable(database.url);
  const agent = new Agent();
  const asked = Array.from({ length: 10 }, () => send(agent, `${server.url}${SUBJECT.path}`));
  await sleep(300);
  const crashed = performance.now();
  const exit = server.end('SIGWINCH');
  await until('the error in the log', () => server.output().includes('nobody caught this'));
  await lock.release();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(await exit).toBe(1);
  const took = performance.now() - crashed;
  const answered = statuses.filter((status) => status === 200).length;
  record('crash', `${answered} of ${statuses.length} answered 200; exit 1 after ${ms(took)}`);
  expect(answered).toBe(10);
  expect(server.log().find(({ level }) => level === 'fatal')).toMatchObject({
    err: { message: 'nobody caught this', stack: expect.any(String) },
  });
  expect(took).toBeLessThan(within(1_500));
});

/** A connection that has had one answer and waits. */
async function idleConnection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  return socket;
}
