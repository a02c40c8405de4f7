import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { until } from '../../../tests/support/until.ts';
import { hashOf } from './outbox.ts';

const KEY = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
const SIGNING = 'the-signing-key';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' }).toString('base64');
const MAIL = '01234567-89ab-4def-8123-456789abcdef';
const TO = 'ada@example.com';

let database: TestDatabase;
let test: TestApp;
beforeEach(async () => {
  database = await createDatabase();
  test = await createTestApp(database.url, {
    INTERNAL_API_KEY: KEY,
    MAILGUN_WEBHOOK_SIGNING_KEY: SIGNING,
    SENDGRID_WEBHOOK_PUBLIC_KEY: spki(publicKey),
  });
  await query(
    database.url,
    `insert into mail_outbox (message_id, template, recipient, bulk, state, content, expires_at)
      values ($1, 'welcome', $2, false, 'sending', '{}', now())`,
    [MAIL, hashOf(TO)],
  );
});
afterEach(async () => {
  await test[Symbol.asyncDispose]();
  await database.drop();
});

const now = () => Math.floor(Date.now() / 1_000);
const state = async () => (await query(database.url, 'select state, content from mail_outbox')).rows[0];
const suppressed = async () =>
  (await query(database.url, 'select recipient, reason from mail_suppressed')).rows;

function mailgun(
  event: object,
  {
    token = randomUUID() as string,
    timestamp = now() as number | string,
    key = SIGNING,
    signature = '',
  } = {},
) {
  const signed = createHmac('sha256', key).update(`${timestamp}${token}`).digest('hex');
  const data = { recipient: TO, 'user-variables': { mail: MAIL }, ...event };
  return test.app.inject({
    method: 'POST',
    url: '/api/mail/events/mailgun',
    payload: {
      signature: { timestamp: String(timestamp), token, signature: signature || signed },
      'event-data': data,
    },
  });
}

function sendgrid(events: unknown, { timestamp = now(), changed = (body: string) => body } = {}) {
  const body = JSON.stringify(events);
  const signature = sign('sha256', Buffer.from(timestamp + body), privateKey).toString('base64');
  return test.app.inject({
    method: 'POST',
    url: '/api/mail/events/sendgrid',
    headers: {
      'content-type': 'application/json',
      'x-twilio-email-event-webhook-timestamp': String(timestamp),
      'x-twilio-email-event-webhook-signature': signature,
    },
    payload: changed(body),
  });
}
const BOUNCE = { event: 'failed', severity: 'permanent' };
const bounce = (more: object = {}) => ({
  event: 'bounce',
  type: 'bounce',
  email: TO,
  mail: MAIL,
  sg_event_id: randomUUID(),
  ...more,
});

it('suppresses an address that bounces, before its mail is noted as sent', async () => {
  expect((await mailgun(BOUNCE)).statusCode).toBe(204);
  expect(await state()).toEqual({ state: 'bounced', content: null });
  expect(await suppressed()).toEqual([{ recipient: hashOf(TO), reason: 'bounce' }]);
  expect((await test.app.metricsRegistry.scrape()).text).toContain(
    'mail_outcomes_total{template="welcome",outcome="bounced"} 1',
  );
});

it.each([
  ['another key', () => mailgun(BOUNCE, { key: 'another' })],
  ['no signature', () => mailgun(BOUNCE, { signature: 'zz' })],
  ['yesterday', () => mailgun(BOUNCE, { timestamp: now() - 90_000 })],
  ['tomorrow', () => mailgun(BOUNCE, { timestamp: now() + 3_600 })],
  ['no time', () => mailgun(BOUNCE, { timestamp: Number.NaN })],
  ['another body', () => sendgrid([bounce()], { changed: (body) => body.replace(TO, 'eve@example.com') })],
  ['a body of yesterday', () => sendgrid([bounce()], { timestamp: now() - 90_000 })],
])('refuses what is signed by %s', async (_, tell) => {
  expect((await tell()).statusCode).toBe(401);
  expect(await suppressed()).toEqual([]);
  expect(await state()).toMatchObject({ state: 'sending' });
});

it('counts what is told again once', async () => {
  const token = randomUUID();
  for (let n = 0; n < 3; n++) expect((await mailgun(BOUNCE, { token })).statusCode).toBe(204);
  // Signed again, as a provider does, but the same event.
  const event = bounce({ email: 'bob@example.com', mail: randomUUID() });
  await Promise.all(Array.from({ length: 5 }, () => sendgrid([event, event])));
  const { text } = await test.app.metricsRegistry.scrape();
  expect(text).toContain('{template="welcome",outcome="bounced"} 1');
  expect(text).toContain('{template="unknown",outcome="bounced"} 1');
  // An operator's decision is not undone by a replay.
  await query(database.url, 'delete from mail_suppressed');
  await mailgun(BOUNCE, { token });
  expect(await suppressed()).toEqual([]);
});

it('takes no letter of a token for one of the timestamp', async () => {
  const [token, timestamp] = ['e0a1', now()];
  expect((await mailgun(BOUNCE, { token, timestamp })).statusCode).toBe(204);
  const signature = createHmac('sha256', SIGNING).update(`${timestamp}${token}`).digest('hex');
  const again = await mailgun(BOUNCE, { token: 'a1', timestamp: `${timestamp}e0`, signature });
  expect(again.statusCode).toBe(401);
});

it('keeps the complaint, in whichever order it and the bounce are told', async () => {
  await sendgrid([bounce({ event: 'spamreport' }), bounce()]);
  expect(await state()).toMatchObject({ state: 'complained' });
  await sendgrid([bounce()]);
  expect(await state()).toMatchObject({ state: 'complained' });
  expect(await suppressed()).toEqual([{ recipient: hashOf(TO), reason: 'complaint' }]);
});

it('suppresses nobody for a bounce that passes, and bulk mail alone for who unsubscribes', async () => {
  await mailgun({ event: 'failed', severity: 'temporary' });
  await sendgrid([bounce({ type: 'blocked' }), { event: 'delivered' }, null, 'text', bounce({ email: 7 })]);
  expect(await suppressed()).toEqual([]);
  await sendgrid([bounce({ event: 'group_unsubscribe' })]);
  const { rows } = await query(database.url, 'select reason, bulk_only from mail_suppressed');
  expect(rows).toEqual([{ reason: 'unsubscribe', bulk_only: true }]);
  // A later bounce is for all mail.
  await mailgun(BOUNCE);
  const { rows: later } = await query(database.url, 'select reason, bulk_only from mail_suppressed');
  expect(later).toEqual([{ reason: 'bounce', bulk_only: false }]);
});

it.each([
  ['text', 'no key'],
  ['RSA', spki(generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey)],
  ['Ed25519', spki(generateKeyPairSync('ed25519').publicKey)],
  ['another curve', spki(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)],
])('refuses the start with %s for the key of SendGrid', async (_, key) => {
  await expect(createTestApp(database.url, { SENDGRID_WEBHOOK_PUBLIC_KEY: key })).rejects.toThrow(
    /SENDGRID_WEBHOOK_PUBLIC_KEY\s+is no public key of the curve P-256.*\s+→ Copy the verification key/,
  );
});

it('refuses what is no JSON, or too large', async () => {
  expect((await sendgrid([], { changed: () => '[' })).statusCode).toBe(401);
  expect((await sendgrid('x'.repeat(1_100_000))).statusCode).toBe(413);
});

it('measures the share of bounces, for the alert', async () => {
  await query(
    database.url,
    `insert into mail_outbox (template, recipient, bulk, state, expires_at, ended_at)
      select 'welcome', n::text, false, case when n <= 2 then 'bounced' else 'sent' end, now(), now()
      from generate_series(1, 25) n`,
  );
  const rule = test.modules.find(({ name }) => name === 'mail')?.alertRules?.[0];
  expect(rule?.name).toBe('mail-bounces');
  expect(await until('it is known', () => rule?.value())).toBe(8);
});
