import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { until } from '../../../tests/support/until.ts';
import { WITHOUT_SECRETS } from './logger.ts';
import { withoutSecrets } from './redaction.ts';

const written = (fields: object) => JSON.parse(withoutSecrets(`${JSON.stringify(fields)}\n`));
const CENSORED = '[redacted]';

it.each([
  ...['pwd', 'jwt', 'otp', 'pin', 'PIN', '_otp', 'bearer', 'bearerValue', 'passcode'],
  ...['sessionId', 'session-id', 'signingKey', 'encryption_key'],
])('takes out the value of %s', (name) => {
  expect(written({ deep: [{ [name]: 'hunter2' }] })).toEqual({ deep: [{ [name]: CENSORED }] });
});

it('leaves words alone that hold the name of a secret', () => {
  const fields = { shopping: 'pins', pinned: 'a', option: 'b', optOut: 'c', ping: 'd', sessions: 'e' };
  expect(written({ ...fields, token: 'f' })).toEqual({ ...fields, token: CENSORED });
});

it('takes secrets out of headers as they came', () => {
  const rawHeaders = ['Host', 'a', 'Authorization', 'Bearer abc', 'Cookie', 'operator=xyz'];
  expect(written({ rawHeaders })).toEqual({
    rawHeaders: ['Host', 'a', 'Authorization', CENSORED, 'Cookie', CENSORED],
  });
});

it('takes secrets out of the query of an address', () => {
  expect(written({ url: '/reset?a=1&token=abc&api_key=def#access_token=ghi' }).url).toBe(
    `/reset?a=1&token=${CENSORED}&api_key=${CENSORED}#access_token=${CENSORED}`,
  );
  expect(written({ msg: 'GET https://h/x?pin=1234 failed' }).msg).toBe(
    `GET https://h/x?pin=${CENSORED} failed`,
  );
});

it('takes the secret of an API key out of any text, and leaves which one it was', () => {
  const start = `flt_${'0123456789abcdef'}_`;
  const key = start + 'a1'.repeat(36);
  const fields = {
    msg: `Bearer ${key}.`,
    path: `/api/${key}`,
    list: [`curl -H x:${key}`],
    cut: key.slice(0, 60),
  };
  const text = JSON.stringify(written(fields));
  expect(text).not.toContain('a1a1');
  expect(text.split(start + CENSORED)).toHaveLength(5);
  // The same under another prefix; ids of other kinds stay.
  expect(written({ msg: key.replace('flt', 'acme') }).msg).toBe(`acme_0123456789abcdef_${CENSORED}`);
  expect(written({ msg: 'row_0123456789abcdef_12' }).msg).toBe('row_0123456789abcdef_12');
});

it("takes the query out of Fastify's error of a second answer", async () => {
  const lines: string[] = [];
  const log = pino({ level: 'debug', ...WITHOUT_SECRETS }, { write: (line) => void lines.push(line) });
  const app = Fastify({ loggerInstance: log as FastifyBaseLogger, disableRequestLogging: true });
  // Like the deadline of a handler: an answer from outside, then the handler's own.
  app.get('/twice', async (_request, reply) => {
    reply.send('first');
    await sleep(10);
    return 'second';
  });
  await app.inject('/twice?a=a-secret"%20(GET)?and=more');
  await until('the error', () => lines.join().includes('FST_ERR_REP_ALREADY_SENT'));
  expect(lines.join()).toContain('in \\"/twice\\" (GET)?');
  expect(lines.join()).not.toMatch(/secret|more/);
  await app.close();
});

it('takes the password out of an address', () => {
  expect(written({ msg: 'postgres://u:p@ss/word@h:5432/db,redis://:x@c' }).msg).toBe(
    `postgres://${CENSORED}@h:5432/db,redis://${CENSORED}@c`,
  );
  expect(written({ msg: 'see http://h:80/@types' }).msg).toBe('see http://h:80/@types');
});

it.each<[string, (n: number) => string]>([
  ['the mark of an address', (n) => '://'.repeat(n / 3)],
  ['users', (n) => '://a:'.repeat(n / 5)],
  ['passwords', (n) => `://${'a:'.repeat(n / 2)}`],
  ['quotes', (n) => '"'.repeat(n)],
  ['queries', (n) => '?a=b&'.repeat(n / 5)],
  ['blanks', (n) => `token${' '.repeat(n)}`],
])('takes time in proportion to a line of %s', (_what, text) => {
  // The fastest of a few runs, so that a busy machine does not decide.
  const fastestMs = (length: number) => {
    const line = `${JSON.stringify({ msg: text(length), token: 'x' })}\n`;
    const runs = Array.from({ length: 7 }, () => {
      const began = performance.now();
      withoutSecrets(line);
      return performance.now() - began;
    });
    return Math.min(...runs);
  };
  // Some 10 ms; a quadratic pattern takes seconds.
  expect(fastestMs(90_000)).toBeLessThan(1_000);
});
