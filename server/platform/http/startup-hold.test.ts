import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { describe, expect, it, vi } from 'vitest';
import { openRaw, type RawConnection } from '../../../tests/support/raw-http.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import { problems } from './problems.ts';
import { startupHold } from './startup-hold.ts';

const MAX_HELD = 1_000;
const SOON = { timeout: 60_000, interval: 20 };

async function holding(holdMs: number) {
  const lifecycle = new Lifecycle([]);
  const app = Fastify();
  const seen = { requests: 0 };
  app.server.on('request', () => {
    seen.requests += 1;
  });
  await app.register(problems);
  await app.register(async (api) => {
    await api.register(startupHold, { lifecycle, holdMs });
    api.get('/thing', async () => 'the thing');
  });
  app.get('/page', async () => 'a page');
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, lifecycle, address, seen };
}

const GET = 'GET /thing HTTP/1.1\r\nHost: x\r\n\r\n';

describe('a request that comes while starting', () => {
  it('is answered when the server has become ready', async () => {
    const { app, lifecycle } = await holding(5_000);
    let answered = false;
    const answer = app.inject('/thing').then((response) => {
      answered = true;
      return response;
    });
    expect((await app.inject('/page')).statusCode).toBe(200);
    lifecycle.to('migrating');
    await sleep(50);
    expect(answered).toBe(false);
    lifecycle.to('ready');
    expect((await answer).body).toBe('the thing');
    expect((await app.inject('/thing')).body).toBe('the thing');
    await app.close();
  });

  it('is refused when the hold has lasted long enough, with the reason and when to come back', async () => {
    const { app, lifecycle } = await holding(100);
    lifecycle.problem = 'The database cannot be reached. Trying again.';
    const began = performance.now();
    const answer = await app.inject('/thing');
    expect(performance.now() - began).toBeGreaterThan(90);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({ type: '/problems/unavailable', detail: lifecycle.problem });
    await app.close();
  });

  it('is refused when the server receives SIGTERM instead', async () => {
    const { app, lifecycle } = await holding(5_000);
    const answer = app.inject('/thing');
    await sleep(20);
    lifecycle.to('draining');
    expect((await answer).statusCode).toBe(503);
    await app.close();
  });

  it('counts as a question for readiness', async () => {
    const { app, lifecycle } = await holding(3_000);
    const asked = lifecycle.nextQuestion(new AbortController().signal);
    await sleep(1_050);
    const answer = app.inject('/thing');
    await asked;
    lifecycle.to('ready');
    await answer;
    await app.close();
  });

  it('is refused at once past the bound, and who leaves makes room', async () => {
    const { app, lifecycle, address, seen } = await holding(600_000);
    const connections: RawConnection[] = [];
    const ask = async () => {
      const connection = await openRaw(address);
      connections.push(connection);
      connection.socket.write(GET);
      return connection;
    };
    for (let n = 0; n < MAX_HELD; n += 100) await Promise.all(Array.from({ length: 100 }, ask));
    await vi.waitFor(() => expect(seen.requests).toBe(MAX_HELD), SOON);
    const refused = await ask();
    expect((await refused.answer()).status).toBe(503);

    await connections[0]?.[Symbol.asyncDispose]();
    const open = () =>
      new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)));
    await vi.waitFor(async () => expect(await open()).toBe(MAX_HELD), SOON);
    const held = await ask();
    const early = await Promise.race([held.answer(), sleep(200, 'held')]);
    expect(early).toBe('held');

    lifecycle.to('ready');
    const answers = await Promise.all(connections.slice(1, MAX_HELD).map((one) => one.answer()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    for (const { socket } of connections) socket.destroy();
    await app.close();
  });
});
