import { describe, expect, it } from 'vitest';
import { CheckFailure, HealthChecks } from './health-checks.ts';
import { Lifecycle, type LifecycleState } from './lifecycle.ts';
import { health, live, type ProbeSources, ready, startup } from './probe-documents.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const timestamp = expect.stringMatching(ISO);
const number = expect.any(Number);

function sources(...states: LifecycleState[]): ProbeSources {
  const lifecycle = new Lifecycle([]);
  for (const state of states) lifecycle.to(state);
  return { lifecycle, checks: new HealthChecks(), version: '1.2.3', environment: 'test' };
}

function withCheck(of: ProbeSources, required: boolean, run: () => { degraded: string } | undefined) {
  of.checks.register({ name: 'thing', required, timeoutMs: 100, run });
  return of;
}
const broken = () => {
  throw new CheckFailure('it cannot be reached');
};

it('/live has the process id and uptime, and nothing else', () => {
  expect(live()).toEqual({ status: 200, body: { alive: true, timestamp, pid: process.pid, uptime: number } });
});

describe('/startup', () => {
  it.each<[number, LifecycleState[]]>([
    [503, []],
    [503, ['migrating']],
    [200, ['migrating', 'ready']],
    [200, ['ready', 'draining']],
    [503, ['draining']],
  ])('is %d after %j', (status, states) => {
    const answer = startup(sources(...states));
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({
      started: status === 200,
      state: states.at(-1) ?? 'starting',
      timestamp,
    });
  });
});

describe('/ready', () => {
  it('is 200 while checks pass or are degraded', async () => {
    for (const of of [sources('ready'), withCheck(sources('ready'), false, broken)]) {
      expect(await ready(of)).toEqual({ status: 200, body: { ready: true, timestamp } });
    }
  });

  it.each<[LifecycleState[], string]>([
    [[], 'starting'],
    [['migrating'], 'migrating'],
    [['ready', 'draining'], 'draining'],
  ])('is 503 after %j', async (states, state) => {
    expect(await ready(sources(...states))).toEqual({
      status: 503,
      body: { ready: false, error: `the server is ${state}`, state, timestamp },
    });
  });

  it('gives the reason why start-up is blocked', async () => {
    const of = sources('migrating');
    of.lifecycle.problem = '2 migrations are pending';
    expect((await ready(of)).body.error).toBe('2 migrations are pending');
  });

  it('is 503 when a required check fails', async () => {
    expect(await ready(withCheck(sources('ready'), true, broken))).toEqual({
      status: 503,
      body: { ready: false, error: 'thing: it cannot be reached', state: 'ready', timestamp },
    });
  });

  it('is 503 where draining begins while a check is awaited', async () => {
    const of = sources('ready');
    withCheck(of, true, () => {
      of.lifecycle.to('draining');
      return undefined;
    });
    expect((await ready(of)).status).toBe(503);
  });
});

describe('/health', () => {
  const body = {
    state: 'ready',
    timestamp,
    version: '1.2.3',
    environment: 'test',
    uptime: number,
    memory: { rss: number, heapTotal: number, heapUsed: number, external: number },
  };
  const result = { required: true, durationMs: number };

  it('is healthy', async () => {
    expect(await health(withCheck(sources('ready'), true, () => undefined))).toEqual({
      status: 200,
      body: { ...body, status: 'healthy', checks: { thing: { ...result, status: 'passing' } } },
    });
  });

  it.each([
    ['a check that says so', true, () => ({ degraded: '15 % is free' }), 'degraded', '15 % is free'],
    ['a failing check that is not required', false, broken, 'failing', 'it cannot be reached'],
  ])('is degraded by %s', async (_, required, run, status, error) => {
    expect(await health(withCheck(sources('ready'), required, run))).toEqual({
      status: 200,
      body: { ...body, status: 'degraded', checks: { thing: { ...result, required, status, error } } },
    });
  });

  it('is unhealthy by a failing required check', async () => {
    const error = 'it cannot be reached';
    expect(await health(withCheck(sources('ready'), true, broken))).toEqual({
      status: 503,
      body: {
        ...body,
        status: 'unhealthy',
        error: `thing: ${error}`,
        checks: { thing: { ...result, status: 'failing', error } },
      },
    });
  });

  it('is unhealthy before the start and after the end', async () => {
    expect(await health(sources())).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', error: 'the server is starting', state: 'starting', checks: {} },
    });
    expect(await health(sources('ready', 'draining'))).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', error: 'the server is draining', state: 'draining' },
    });
  });
});
