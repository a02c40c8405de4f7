import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import { type DestinationStream, pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { type AccessLine, accessLines, makeRequestLogsLazy } from './request-log.ts';

/** As logger.ts makes it. */
const OPTIONS = {
  level: 'debug',
  base: null,
  timestamp: () => ',"time":"2026-01-01T00:00:00.000Z"',
  formatters: { level: (label: string) => ({ level: label }) },
  redact: { paths: ['authorization', '*.authorization', 'cookie'], censor: '[redacted]' },
};
const LINE: AccessLine = {
  requestId: 'a-request-id',
  method: 'GET',
  path: '/api/notes',
  route: '/api/notes',
  status: 200,
  durationMs: 1.25,
  traceId: undefined,
  aborted: undefined,
};

function loggerInto(lines: string[], options: object = OPTIONS) {
  const stream: DestinationStream & { lastLevel?: number } = { write: (line) => void lines.push(line) };
  return { stream, log: pino(options, stream) };
}

const withoutTime = (line: string | undefined) => line?.replace(/"time":"[^"]*"/, '"time":""');

describe('a line of access', () => {
  it.each<[string, Partial<AccessLine>]>([
    ['a usual one', {}],
    ['no route', { route: undefined }],
    ['a trace', { traceId: '0af7651916cd43dd8448eb211c80319c' }],
    ['a client that left', { aborted: true }],
    ['quotes, backslashes and control characters', { path: '/"\\\u0000\u001f\u007f\n', route: '/:"id' }],
    ['what is not ASCII', { path: '/ä€😀' }],
    ['every character of an id', { requestId: 'aZ09_.:+/=-' }],
    ['a parameter', { path: '/notes/1', route: '/notes/:id' }],
    ['a long time', { durationMs: 61_234.57 }],
    ['another status', { status: 404 }],
    ['half a character', { path: '/\ud83d' }],
    ['a long path', { path: `/${'a"'.repeat(500)}` }],
    ['no time at all', { durationMs: 0 }],
  ])('is the very one that pino writes: %s', (_what, more) => {
    for (const level of ['info', 'debug'] as const) {
      const lines: string[] = [];
      const { log } = loggerInto(lines);
      const line = { ...LINE, ...more };
      accessLines(log)(level, line);
      log[level](line, 'request');
      expect(withoutTime(lines[0])).toBe(withoutTime(lines[1]));
      expect(lines[0]).toMatch(/^\{"level":"(info|debug)","time":"20\d\d-\d\d-\d\dT[\d:.]+Z",/);
    }
  });

  it('tells the stream its level, as pino does', () => {
    const { log, stream } = loggerInto([]);
    accessLines(log)('debug', LINE);
    expect(stream.lastLevel).toBe(20);
    accessLines(log)('info', LINE);
    expect(stream.lastLevel).toBe(30);
  });

  it('takes the quick way with a logger like ours, in this version of pino', () => {
    const { log } = loggerInto([]);
    let asked = 0;
    const write = accessLines(log);
    log.info = () => void asked++;
    write('info', LINE);
    // If this fails, lines are still whole: pino writes them. Look at pino.symbols.
    expect(asked).toBe(0);
  });

  it.each([
    ['more fields', { ...OPTIONS, base: { service: 'a' } }],
    ['levels as numbers', { ...OPTIONS, formatters: {} }],
    ['another name for the message', { ...OPTIONS, messageKey: 'message' }],
    ['a serializer for a field', { ...OPTIONS, serializers: { path: () => 'hidden' } }],
    ['a redacted field', { ...OPTIONS, redact: ['path'] }],
  ])('is left to pino where the logger has %s', (_what, options) => {
    const lines: string[] = [];
    const { log } = loggerInto(lines, options);
    accessLines(log)('info', LINE);
    log.info(LINE, 'request');
    expect(lines[0]).toBe(lines[1]);
  });
});

it('hides what stands behind the ? of an address that is answered twice', async () => {
  const lines: string[] = [];
  const app = Fastify({
    loggerInstance: loggerInto(lines).log as FastifyBaseLogger,
    disableRequestLogging: true,
  });
  makeRequestLogsLazy(app.log, 'reqId');
  // As the deadline of a handler does: an answer from outside, and the handler's own behind it.
  app.get('/twice', async (_request, reply) => {
    reply.send('first');
    await sleep(10);
    return 'second';
  });
  await app.inject('/twice?token=a-secret"%20(GET)?and=more');
  await vi.waitFor(() => expect(lines.join()).toContain('FST_ERR_REP_ALREADY_SENT'));
  expect(lines.join()).toContain('in \\"/twice\\" (GET)?');
  expect(lines.join()).not.toMatch(/secret|more/);
  await app.close();
});
