import { get, type IncomingMessage, ServerResponse } from 'node:http';
import { text as streamText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { StreamEvents } from '#contracts/operations/stream.ts';
import type { TrafficReport } from '#contracts/operations/traffic.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import { TcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { Traffic } from './traffic/traffic.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const SECRET = 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi';
const PATIENT = { timeout: 60_000, interval: 25 };

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const make = (env: Record<string, string> = {}, url = database.url) =>
  createTestApp(url, { INTERNAL_API_KEY: KEY, SESSION_SECRET: SECRET, ...env });

interface Heard {
  name: keyof StreamEvents;
  id: string | undefined;
  data: StreamEvents[keyof StreamEvents] & { instance: string };
}

/** Listens as a browser does, over a connection of its own. */
async function listen(address: string, query = '', headers: Record<string, string> = { 'x-api-key': KEY }) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${address}/api/monitoring/stream${query}`, { headers, agent: false }, resolve).on('error', reject);
  });
  let text = '';
  let ended = false;
  response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  response.on('error', () => {}).on('close', () => (ended = true));
  const events = (): Heard[] =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => block.startsWith('event: '))
      .map((block) => {
        const fields = new Map(
          block
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        );
        return {
          name: fields.get('event') as Heard['name'],
          id: fields.get('id'),
          data: JSON.parse(fields.get('data') as string),
        };
      });
  return {
    response,
    events,
    text: () => text,
    ended: () => ended,
    of: <Name extends keyof StreamEvents>(name: Name) =>
      events().flatMap((event) => (event.name === name ? [event.data as StreamEvents[Name]] : [])),
    [Symbol.dispose]: () => response.destroy(),
  };
}

const seqs = (log: StreamEvents['log'][]) => log.flatMap(({ lines }) => lines.map(({ seq }) => seq));
const said = (log: StreamEvents['log'][]) => log.flatMap(({ lines }) => lines.map(({ message }) => message));

const connectionsOf = ({ app }: TestApp) =>
  new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)));

describe('the stream', () => {
  let server: TestApp;
  let address: string;
  beforeAll(async () => {
    server = await make();
    address = await server.listen();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('is for operators', async () => {
    using stranger = await listen(address, '', {});
    expect(stranger.response.statusCode).toBe(401);
  });

  it('passes proxies unchanged, and names its process in every event', async () => {
    using screen = await listen(address, '?log=info', { 'x-api-key': KEY, 'accept-encoding': 'gzip, br' });
    expect(screen.response.statusCode).toBe(200);
    expect(screen.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.any(String),
    });
    expect(screen.response.headers['content-encoding']).toBeUndefined();
    await vi.waitFor(() => expect(screen.of('figures').length).toBeGreaterThan(0), PATIENT);
    expect(screen.text()).toMatch(/^retry: [23]\d{3}\n\nevent: hello\n/);
    const names = screen.events().map(({ name }) => name);
    expect(names[0]).toBe('hello');
    expect(new Set(names)).toEqual(new Set(['hello', 'history', 'alerts', 'errors', 'log', 'figures']));
    expect(screen.of('figures')[0]).toMatchObject({
      state: 'ready',
      ready: true,
      requestsPerSecond: expect.any(Number),
    });
    for (const { data } of screen.events()) expect(data.instance).toBe('test-000000');
  });

  it('sends figures and steps of the history as they come, each once', async () => {
    using screen = await listen(address, '?window=5m');
    await vi.waitFor(() => {
      expect(screen.of('figures').length).toBeGreaterThan(2);
      expect(screen.of('history').length).toBeGreaterThan(1);
    }, PATIENT);
    const times = screen.of('history').flatMap((history) => history.times);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    expect(new Set(screen.of('history').map(({ window }) => window))).toEqual(new Set(['5m']));
    for (const history of screen.of('history')) expect(history.p95Ms).toHaveLength(history.times.length);
  });

  it('sends lines of the log of the level that is asked for, and none where none is', async () => {
    server.app.log.info('before');
    using silent = await listen(address);
    using warnings = await listen(address, '?log=warn');
    using all = await listen(address, '?log=info');
    await vi.waitFor(() => expect(said(all.of('log'))).toContain('before'), PATIENT);
    for (const [level, text] of [
      ['info', 'chatter'],
      ['warn', 'look here'],
      ['debug', 'not even written'],
      ['error', 'the last'],
    ] as const) {
      server.app.log[level](text);
    }
    await vi.waitFor(() => {
      expect(said(warnings.of('log'))).toContain('the last');
      expect(said(all.of('log'))).toContain('the last');
    }, PATIENT);
    expect(said(warnings.of('log')).filter((text) => ['chatter', 'before'].includes(text))).toEqual([]);
    expect(said(all.of('log')).slice(-3)).toEqual(['chatter', 'look here', 'the last']);
    expect(silent.of('log')).toEqual([]);
  });

  it('goes on where it was after a break, and begins anew with another process', async () => {
    let id: string | undefined;
    let before: number[];
    {
      using screen = await listen(address, '?log=info');
      server.app.log.info('heard');
      await vi.waitFor(() => expect(said(screen.of('log'))).toContain('heard'), PATIENT);
      id = screen.events().findLast((event) => event.id !== undefined)?.id;
      before = seqs(screen.of('log'));
    }
    expect(id).toBe(`test-000000:${before.at(-1)}`);
    for (let n = 0; n < 300; n++) server.app.log.info(`missed ${n}`);
    const again = { 'x-api-key': KEY, 'last-event-id': id as string };
    using resumed = await listen(address, '?log=info', again);
    await vi.waitFor(() => expect(said(resumed.of('log'))).toContain('missed 299'), PATIENT);
    const after = seqs(resumed.of('log'));
    expect(after[0]).toBe((before.at(-1) as number) + 1);
    expect(after).toEqual(Array.from({ length: after.length }, (_, i) => (after[0] as number) + i));

    for (const strange of [`other-host-1:${before.at(-1)}`, 'test-000000:999999', 'nonsense']) {
      using anew = await listen(address, '?log=info', { 'x-api-key': KEY, 'last-event-id': strange });
      await vi.waitFor(() => expect(anew.of('log').length).toBeGreaterThan(0), PATIENT);
      const [first] = anew.of('log');
      expect([first?.lines.length, first?.missed]).toEqual([200, 0]);
    }
  });

  it('says how many lines came faster than they are sent', async () => {
    using screen = await listen(address, '?log=info');
    await vi.waitFor(() => expect(screen.of('log').length).toBeGreaterThan(0), PATIENT);
    for (let n = 0; n < 3_000; n++) server.app.log.info(`flood ${n}`);
    await vi.waitFor(() => expect(said(screen.of('log'))).toContain('flood 2999'), PATIENT);
    const flood = screen.of('log').slice(1);
    const missed = flood.reduce((sum, event) => sum + event.missed, 0);
    expect(missed + seqs(flood).length).toBeGreaterThanOrEqual(3_000);
    expect(missed).toBeGreaterThan(2_000);
  });

  it('tells of a new kind of error, without its stack', async () => {
    using screen = await listen(address);
    await vi.waitFor(() => expect(screen.of('errors').length).toBeGreaterThan(0), PATIENT);
    server.app.log.error({ err: new Error('a new one') }, 'failed');
    await vi.waitFor(() => {
      expect(screen.of('errors').at(-1)?.errors[0]).toMatchObject({ message: 'a new one', count: 1 });
    }, PATIENT);
    expect(screen.of('errors').at(-1)?.errors[0]).not.toHaveProperty('stack');
  });

  it('leaves nothing running when the last screen is closed', async () => {
    const watched = { ends: 0 };
    const spy = vi.spyOn(Traffic.prototype, 'watch').mockImplementation(() => {
      return () => {
        watched.ends++;
      };
    });
    const one = await listen(address, '?log=info');
    const other = await listen(address);
    await vi.waitFor(() => expect(other.of('figures').length).toBeGreaterThan(0), PATIENT);
    expect(spy).toHaveBeenCalledTimes(1);
    one[Symbol.dispose]();
    await vi.waitFor(async () => expect(await connectionsOf(server)).toBe(1), PATIENT);
    expect(watched.ends).toBe(0);
    other[Symbol.dispose]();
    await vi.waitFor(() => expect(watched.ends).toBe(1), PATIENT);
    spy.mockRestore();
  });

  it('is in no percentile and in no line of the log at info', async () => {
    const found = server.lines.filter(({ path }) => path === '/api/monitoring/stream');
    // Refusals are lines of their own kind; none of those of the streams that ended is here.
    expect(found).toEqual([]);
    const answer = await server.app.inject({
      url: '/api/monitoring/performance?window=1h',
      headers: { 'x-api-key': KEY },
    });
    const { routes } = answer.json<TrafficReport>();
    expect(routes.find(({ route }) => route === '/api/monitoring/stream')?.p95Ms).toBeNull();
  });
});

it('lets go of a screen that does not read', async () => {
  await using server = await make({ LOG_LEVEL: 'debug' });
  const address = await server.listen();
  const screen = await listen(address, '?log=info');
  await vi.waitFor(() => expect(screen.of('log').length).toBeGreaterThan(0), PATIENT);
  screen.response.pause();
  expect(await connectionsOf(server)).toBe(1);
  const much = 'x'.repeat(2_000);
  await vi.waitFor(
    async () => {
      for (let n = 0; n < 500; n++) server.app.log.info(`${n} ${much}`);
      expect(await connectionsOf(server)).toBe(0);
    },
    { timeout: 60_000, interval: 250 },
  );
  expect(server.lines.map(({ msg }) => msg)).toContain('event stream closed: its client reads too slowly');
});

it('is for a thousand screens', async () => {
  await using server = await make();
  // Over no sockets: twice as many would be more than some systems give a process.
  const open = () =>
    server.app.inject({
      url: '/api/monitoring/stream?log=info',
      headers: { 'x-api-key': KEY },
      payloadAsStream: true,
    });
  const screens = await Promise.all(Array.from({ length: 1_000 }, open));
  expect(new Set(screens.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  const more = await open();
  expect(more.statusCode).toBe(503);
  const text = await streamText(more.stream());
  expect(JSON.parse(text).detail).toContain('1000 screens');
  screens[0]?.raw.res.destroy();
  await vi.waitFor(async () => expect((await open()).statusCode).toBe(200), PATIENT);
});

it('lets go of those who read slowest when all of them hold too much memory', async () => {
  await using server = await make();
  const address = await server.listen();
  using quick = await listen(address);
  const slow = await Promise.all(Array.from({ length: 70 }, () => listen(address)));
  await vi.waitFor(() => expect(slow.at(-1)?.of('figures').length).toBeGreaterThan(0), PATIENT);
  // What 70 sockets would have to be stuffed with for it is more than a test should ask of a system.
  const first = new Set<unknown>();
  Object.defineProperty(ServerResponse.prototype, 'writableLength', {
    configurable: true,
    get() {
      if (first.size === 0) first.add(this);
      return first.has(this) ? 1_000 : 1_000_000;
    },
  });
  try {
    await vi.waitFor(() => expect(slow.every((screen) => screen.ended())).toBe(true), PATIENT);
    expect(quick.ended()).toBe(false);
  } finally {
    Reflect.deleteProperty(ServerResponse.prototype, 'writableLength');
  }
});

it('ends when the process drains, and keeps no new client', async () => {
  await using server = await make();
  const address = await server.listen();
  using screen = await listen(address);
  await vi.waitFor(() => expect(screen.of('figures').length).toBeGreaterThan(0), PATIENT);
  server.lifecycle.to('draining');
  await vi.waitFor(() => expect(screen.ended()).toBe(true), PATIENT);
  expect(screen.events().at(-1)?.name).toBe('reconnect');
  using late = await listen(address);
  await vi.waitFor(() => expect(late.ended()).toBe(true), PATIENT);
  expect(late.response.headers.connection).toBe('close');
  expect(late.of('figures')).toMatchObject([{ state: 'draining', ready: false }]);
  // To be sent on at once would bring a screen back at once.
  expect(late.of('reconnect')).toEqual([]);
});

it('shows that the database has stopped, and that it is back', async () => {
  const { hostname, port } = new URL(database.url);
  const proxy = await TcpProxy.start({ host: hostname, port: Number(port) });
  const url = Object.assign(new URL(database.url), { hostname: '127.0.0.1', port: String(proxy.port) });
  await using server = await make({}, url.href);
  server.checks.register({
    name: 'database',
    required: true,
    timeoutMs: 5_000,
    run: (abort) => server.database.probe(abort).then(() => undefined),
  });
  using screen = await listen(await server.listen());
  await vi.waitFor(() => expect(screen.of('figures').at(-1)?.ready).toBe(true), PATIENT);
  const since = screen.of('figures').at(-1)?.since;
  await proxy.refuse();
  await vi.waitFor(() => expect(screen.of('figures').at(-1)?.ready).toBe(false), PATIENT);
  expect(screen.of('figures').at(-1)).toMatchObject({
    state: 'ready',
    problem: expect.stringMatching(/^database: /),
  });
  expect(screen.of('figures').at(-1)?.since).not.toBe(since);
  await proxy.pass();
  await vi.waitFor(() => expect(screen.of('figures').at(-1)?.ready).toBe(true), PATIENT);
  await proxy.stop();
});

it('ends before its session does, so that the browser renews it', async () => {
  await using server = await make();
  const address = await server.listen();
  const signedIn = await server.app.inject({
    method: 'POST',
    url: '/api/operations/session',
    payload: { key: KEY },
  });
  const cookie = String(signedIn.headers['set-cookie']).split(';')[0] as string;
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  try {
    using screen = await listen(address, '', { cookie });
    await vi.waitFor(() => expect(screen.text()).toContain('event: hello'), PATIENT);
    await vi.advanceTimersByTimeAsync(15_000);
    await vi.waitFor(() => expect(screen.text()).toContain('\n:\n\n'), PATIENT);
    await vi.advanceTimersByTimeAsync(54 * 60_000);
    expect(screen.ended()).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => expect(screen.ended()).toBe(true), PATIENT);
    using next = await listen(address, '', { cookie });
    expect(next.response.headers['set-cookie']?.[0]).toMatch(/^operator=/);
  } finally {
    vi.useRealTimers();
  }
});
