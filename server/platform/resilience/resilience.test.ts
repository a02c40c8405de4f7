import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { until } from '../../../tests/support/until.ts';
import { loadConfig } from '../config/config.ts';
import type { DependencyLimits } from './dependency.ts';
import {
  assertAnswered,
  DependencyRefusedError,
  DependencyTimeoutError,
  DependencyUnavailableError,
} from './errors.ts';
import { Resilience } from './resilience.ts';

/** A real service, which answers as each test says. */
let service: Server;
let url: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let received: number;
let hungUp: number;

beforeEach(async () => {
  received = 0;
  hungUp = 0;
  service = createServer((request, response) => {
    received++;
    response.on('close', () => {
      if (!response.writableFinished) hungUp++;
    });
    answer(request, response);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});
afterEach(async () => {
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

const silent = { warn() {}, info() {} };
const defaults: DependencyLimits = { concurrency: 20, queue: 100, retries: 2, timeoutMs: 60_000 };
const make = (limits: Partial<DependencyLimits> = {}, pause = { initialDelay: 50, maxDelay: 50 }) =>
  new Resilience({ defaults: { ...defaults, ...limits }, overrides: {}, breakerPause: pause }, silent);
const call = async (signal: AbortSignal) => assertAnswered(await fetch(url, { signal })).text();
const status = (code: number) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(code).end('body');
};
const stall = () => {};

it('hands back what the service answers, and counts it', async () => {
  answer = status(200);
  const resilience = make();
  expect(await resilience.executeWithFullProtection('payments', call)).toBe('body');
  const [payments] = resilience.dependencies;
  expect(payments).toMatchObject({ name: 'payments', state: 'closed', running: 0, waiting: 0, retries: 0 });
  expect(payments?.outcomes.success).toBe(1);
});

it('tries again what failed, and not what was refused or must not be repeated', async () => {
  answer = (request, response) => status(received < 3 ? 503 : 200)(request, response);
  const resilience = make();
  expect(await resilience.executeWithFullProtection('payments', call)).toBe('body');
  expect(received).toBe(3);

  answer = status(422);
  received = 0;
  await expect(resilience.executeWithFullProtection('payments', call)).rejects.toThrow(
    DependencyRefusedError,
  );
  expect(received).toBe(1);

  answer = status(503);
  received = 0;
  await expect(resilience.executeWithFullProtection('payments', call, { retry: false })).rejects.toThrow(
    'answered 503',
  );
  expect(received).toBe(1);
});

it('adds a tenth of load at most to a service that fails now and then', async () => {
  // Every fifth answer is a failure, so that the breaker stays closed.
  answer = (request, response) => status(received % 5 === 0 ? 500 : 200)(request, response);
  const resilience = make({ retries: 1 });
  const calls = 400;
  for (let done = 0; done < calls; done += 20) {
    await Promise.allSettled(
      Array.from({ length: 20 }, () => resilience.executeWithFullProtection('payments', call)),
    );
  }
  const retries = resilience.get('payments')?.retries ?? 0;
  expect(retries).toBeGreaterThan(calls / 20);
  // What a quiet service has saved comes on top.
  expect(retries).toBeLessThanOrEqual(calls / 10 + 10);
});

it('calls a service no more that has failed 20 times, and again once it has recovered', async () => {
  answer = status(500);
  const resilience = make({ retries: 0 }, { initialDelay: 3_000, maxDelay: 3_000 });
  for (let n = 0; n < 60; n++) {
    await resilience.executeWithFullProtection('payments', call).catch(() => {});
    if (resilience.get('payments')?.state === 'open') break;
  }
  expect(received).toBeLessThanOrEqual(20);
  await expect(resilience.executeWithFullProtection('payments', call)).rejects.toThrow(
    DependencyUnavailableError,
  );
  expect(resilience.judge()).toEqual({ degraded: 'not called for now: payments' });

  answer = status(200);
  await until('the service is called again', () =>
    resilience.executeWithFullProtection('payments', call).then(Boolean, () => false),
  );
  expect(resilience.get('payments')?.state).toBe('closed');
  expect(resilience.judge()).toBeUndefined();
});

it('gives up an attempt that stalls, and hangs up', async () => {
  answer = stall;
  const resilience = make({ retries: 0 });
  const began = performance.now();
  // Long enough for the service to be called.
  await expect(resilience.executeWithFullProtection('payments', call, { timeout: 2_000 })).rejects.toThrow(
    DependencyTimeoutError,
  );
  expect(performance.now() - began).toBeLessThan(defaults.timeoutMs);
  await until('it hung up', () => hungUp === 1);
  expect(resilience.get('payments')?.outcomes.timeout).toBe(1);
});

it('does not wait for a call that ignores its signal', async () => {
  answer = stall;
  const deaf = async () => (await fetch(url)).text();
  await expect(
    make({ retries: 0 }).executeWithFullProtection('payments', deaf, { timeout: 50 }),
  ).rejects.toThrow(DependencyTimeoutError);
});

it('ends with the signal of its caller, with that signal’s reason, and is no failure of the service', async () => {
  answer = stall;
  const resilience = make();
  const abort = new AbortController();
  const left = resilience.executeWithFullProtection('payments', call, { signal: abort.signal });
  await until('it was called', () => received === 1);
  abort.abort(new Error('the client has left'));
  await expect(left).rejects.toThrow('the client has left');
  await until('it hung up', () => hungUp === 1);
  expect(received).toBe(1);
  expect(resilience.get('payments')?.outcomes).toMatchObject({ cancelled: 1, failure: 0, timeout: 0 });
});

it('lets a caller leave at once who waits for its turn, or for a retry', async () => {
  answer = stall;
  const resilience = make({ concurrency: 1, retries: 10 });
  /** Without a turn of the event loop, so before any answer or timer. */
  const atOnce = (call: Promise<unknown>) =>
    Promise.race([call.catch(({ message }) => message), new Promise((resolve) => setImmediate(resolve))]);
  const first = new AbortController();
  const running = resilience.executeWithFullProtection('payments', call, { signal: first.signal });
  await until('it was called', () => received === 1);
  const abort = new AbortController();
  const waiting = resilience.executeWithFullProtection('payments', call, { signal: abort.signal });
  await until('it waits', () => resilience.get('payments')?.waiting === 1);
  abort.abort(new Error('the client has left'));
  expect(await atOnce(waiting)).toBe('the client has left');
  expect(received).toBe(1);
  first.abort(new Error('and so has this one'));
  await expect(running).rejects.toThrow('and so has this one');
  await until('nothing waits or runs any more', () => {
    const { running: now, waiting: then } = resilience.get('payments') ?? {};
    return now === 0 && then === 0;
  });

  answer = status(503);
  const again = new AbortController();
  const retried = resilience.executeWithFullProtection('payments', call, { signal: again.signal });
  await until('it waits for its retry', () => resilience.get('payments')?.retries);
  again.abort(new Error('the client has left'));
  expect(await atOnce(retried)).toBe('the client has left');
  const before = received;
  await until('its slot is free', () => resilience.get('payments')?.running === 0);
  expect(received).toBe(before);
  expect(resilience.get('payments')?.outcomes.cancelled).toBe(3);
});

it('goes on calling a service whose callers left again and again, and not one that is open because one has left', async () => {
  answer = stall;
  const resilience = make({ retries: 0 }, { initialDelay: 50, maxDelay: 50 });
  const leave = async () => {
    const before = received;
    const abort = new AbortController();
    const left = resilience.executeWithFullProtection('payments', call, { signal: abort.signal });
    await until('it was called', () => received > before);
    abort.abort(new Error('the client has left'));
    await expect(left).rejects.toThrow('the client has left');
  };
  for (let n = 0; n < 12; n++) await leave();
  expect(resilience.get('payments')?.state).toBe('closed');

  answer = status(500);
  for (let n = 0; n < 12; n++)
    await resilience.executeWithFullProtection('payments', call).catch(() => undefined);
  expect(resilience.get('payments')?.state).toBe('open');
  answer = stall;
  await sleep(100);
  await leave();
  expect(resilience.get('payments')?.state).toBe('open');
});

it('judges anew after a reset', async () => {
  answer = status(500);
  const resilience = make({ retries: 0 }, { initialDelay: 60_000, maxDelay: 60_000 });
  const fail = () => resilience.executeWithFullProtection('payments', call).catch(() => undefined);
  for (let n = 0; n < 12; n++) await fail();
  expect(resilience.get('payments')?.state).toBe('open');
  resilience.get('payments')?.reset();
  await fail();
  expect(resilience.get('payments')?.state).toBe('closed');
});

it('has no more calls under way than it may, and refuses those that nobody can wait for', async () => {
  const open: ServerResponse[] = [];
  answer = (_, response) => open.push(response);
  const resilience = make({ concurrency: 2, queue: 1 });
  const calls = Array.from({ length: 4 }, () => resilience.executeWithFullProtection('payments', call));
  await expect(calls[3]).rejects.toThrow('payments is busy');
  await until('both are under way', () => open.length === 2);
  expect(resilience.get('payments')).toMatchObject({ running: 2, waiting: 1 });
  await sleep(20);
  expect(received).toBe(2);
  answer = status(200);
  for (const response of open) response.end('body');
  expect(await Promise.all(calls.slice(0, 3))).toEqual(['body', 'body', 'body']);
});

it('leaves one service alone where another fails', async () => {
  answer = (request, response) => status(request.url === '/bad' ? 500 : 200)(request, response);
  const resilience = make({ retries: 0 });
  const bad = async (signal: AbortSignal) => assertAnswered(await fetch(`${url}/bad`, { signal }));
  for (let n = 0; n < 20; n++) await resilience.executeWithFullProtection('bad', bad).catch(() => {});
  expect(resilience.get('bad')?.state).toBe('open');
  expect(await resilience.executeWithFullProtection('good', call)).toBe('body');
});

it('keeps no timer once calls have ended', async () => {
  answer = status(500);
  const resilience = make({ retries: 1 }, { initialDelay: 60_000, maxDelay: 60_000 });
  for (let n = 0; n < 20; n++) await resilience.executeWithFullProtection('payments', call).catch(() => {});
  expect(resilience.get('payments')?.state).toBe('open');
  // fetch keeps its connection, which is not ours.
  const before = process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
  for (let n = 0; n < 20; n++) await resilience.executeWithFullProtection('payments', call).catch(() => {});
  expect(process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length).toBeLessThanOrEqual(
    before,
  );
});

it('is limited for each service by settings', () => {
  const read = (text: string) => {
    const env = { NODE_ENV: 'production', DATABASE_URL: 'postgres://u:p@h/d', DEPENDENCY_LIMITS: text };
    return loadConfig({}, env).config.dependencies.limits;
  };
  const valid = ['payments.retries=0', 'payments.concurrency=5', 'mail.timeoutMs=500'];
  expect(read(valid.join(', '))).toEqual(valid);
  for (const wrong of [
    'payments',
    'payments.retries',
    'payments.speed=1',
    'payments.retries=11',
    'a.b.c=1',
  ]) {
    expect(() => read(wrong)).toThrow('DEPENDENCY_LIMITS');
  }
});

it('shows operators each service, which they isolate and reset, and tells health and metrics', async () => {
  const key = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
  answer = status(200);
  let resilience: Resilience | undefined;
  await using test = await createTestApp(
    'postgres://u:p@127.0.0.1:1/d',
    { INTERNAL_API_KEY: key, DEPENDENCY_LIMITS: 'payments.retries=0' },
    {
      features: [
        (platform) => {
          ({ resilience } = platform);
          return { name: 'payments' };
        },
      ],
    },
  );
  const ask = async (
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string> = { authorization: `Bearer ${key}` },
  ) => {
    const { statusCode, body } = await test.app.inject({ method, url: path, headers });
    return { status: statusCode, body: path === '/metrics' ? body : JSON.parse(body) };
  };
  const base = '/api/monitoring/dependencies';
  expect((await ask('GET', base, {})).status).toBe(401);
  expect((await ask('POST', `${base}/payments/isolate`, {})).status).toBe(401);
  expect((await ask('POST', `${base}/payments/isolate`)).status).toBe(404);

  await resilience?.executeWithFullProtection('payments', call);
  expect((await ask('GET', base)).body).toMatchObject({
    dependencies: [{ name: 'payments', state: 'closed', limits: { retries: 0 }, calls: { success: 1 } }],
  });
  expect((await ask('POST', `${base}/payments/isolate`)).body).toMatchObject({ state: 'isolated' });
  await expect(resilience?.executeWithFullProtection('payments', call)).rejects.toThrow(
    DependencyUnavailableError,
  );
  expect(received).toBe(1);
  const { body: health } = await ask('GET', '/health');
  expect(health.checks.dependencies).toMatchObject({
    status: 'degraded',
    error: 'not called for now: payments',
  });
  const { body: metrics } = await ask('GET', '/metrics');
  expect(metrics).toContain('dependency_calls_total{dependency="payments",outcome="success"} 1');
  expect(metrics).toContain('dependency_breaker_state{dependency="payments",state="isolated"} 1');

  expect((await ask('POST', `${base}/payments/reset`)).body).toMatchObject({ state: 'closed' });
  expect(await resilience?.executeWithFullProtection('payments', call)).toBe('body');
});
