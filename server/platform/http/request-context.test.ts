import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outgoingHeaders, readTraceparent, requestContext, requestId } from './request-context.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
const MADE = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const app = Fastify({ genReqId: requestId });
beforeAll(async () => {
  await app.register(requestContext);
  app.get('/', async (request) => outgoingHeaders(request));
});
afterAll(() => app.close());

const get = (headers: Record<string, string> = {}) => app.inject({ url: '/', headers });

describe('X-Request-Id', () => {
  it.each(['abcdefgh', 'Root=1-67891233-abcdef012345678912345678', 'a/b+c:d.e_f=g', 'x'.repeat(128)])(
    'is taken when it is %s',
    async (id) => {
      expect((await get({ 'x-request-id': id })).headers['x-request-id']).toBe(id);
    },
  );

  it.each([
    '',
    'short',
    'x'.repeat(129),
    'with space',
    'a"quote"b',
    '{"level":"fatal"}',
    '$(reboot)!',
    'é'.repeat(9),
  ])('is made when it is %j', async (id) => {
    expect((await get({ 'x-request-id': id })).headers['x-request-id']).toMatch(MADE);
  });

  it('is another one each time', async () => {
    const [a, b] = [await get(), await get()].map(({ headers }) => headers['x-request-id']);
    expect(a).not.toBe(b);
  });

  it('stands on what is not found as well', async () => {
    expect((await app.inject('/nothing')).headers['x-request-id']).toMatch(MADE);
  });
});

describe('traceparent', () => {
  it.each([TRACEPARENT, `01-${TRACE_ID}-00f067aa0ba902b7-01-more`])('is read from %s', (header) => {
    expect(readTraceparent(header)).toEqual({ traceId: TRACE_ID, parentId: '00f067aa0ba902b7', flags: '01' });
  });

  it.each([
    undefined,
    '',
    `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    `00-${TRACE_ID.toUpperCase()}-00f067aa0ba902b7-01`,
    `00-${TRACE_ID}-00f067aa0ba902b7`,
    // Version 00 has exactly four fields (https://www.w3.org/TR/trace-context/#versioning-of-traceparent).
    `${TRACEPARENT}-more`,
  ])('is not read from %s', (header) => {
    expect(readTraceparent(header)).toBeUndefined();
  });

  it('is passed on with the same trace and a span of its own', async () => {
    const sent = (await get({ traceparent: TRACEPARENT, 'x-request-id': 'from-outside' })).json();
    expect(sent['x-request-id']).toBe('from-outside');
    expect(sent.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
    expect(sent.traceparent).not.toContain('00f067aa0ba902b7');
  });

  it('is not passed on where none came', async () => {
    expect(Object.keys((await get()).json())).toEqual(['x-request-id']);
  });
});
