import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { SMTPServer, SMTPServerOptions } from 'smtp-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MailState, MailView } from '#contracts/mail.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { startSmtpServer } from '../../../tests/support/smtp.ts';
import { until } from '../../../tests/support/until.ts';
import { loadConfig } from '../../platform/config/config.ts';
import { html } from '../../platform/lib/html.ts';
import type { Mailer, MailOptions, MailTemplate } from '../../platform/mailer.ts';
import { hashOf, Outbox } from './outbox.ts';
import type { MailPlatform } from './providers/provider.ts';
import { mailSettings } from './settings.ts';

const KEY = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
const SECRET = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
const TO = 'ada@example.com';

const welcome: MailTemplate<{ name: string; link: string }> = {
  name: 'welcome',
  write: ({ name, link }) => ({
    subject: `Welcome, ${name}`,
    text: `Hello ${name}: ${link}`,
    html: html`<p>Hello ${name}</p><p><a href="${link}">Begin</a></p>`,
  }),
};
const news: MailTemplate<undefined> = {
  name: 'news',
  bulk: true,
  write: () => ({ subject: 'News', text: 'News', html: html`<p>News</p>` }),
};
const DATA = { name: 'Ada', link: 'https://example.com/begin?token=very-secret' };

let database: TestDatabase;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await database.drop();
});

async function smtpServer(options?: SMTPServerOptions) {
  const server = await startSmtpServer(options);
  ends.push(() => server[Symbol.asyncDispose]());
  return server;
}

/** A real HTTP service that answers as it is told, each time the last where nothing is left. */
async function httpService(...answers: number[]) {
  const requests: { url: string | undefined; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer(async (request, response) => {
    requests.push({ url: request.url, headers: request.headers, body: await text(request) });
    response.writeHead((answers.length > 1 ? answers.shift() : answers[0]) ?? 200).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close() && server.closeAllConnections());
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function start(env: Record<string, string> = {}) {
  const test = await createTestApp(database.url, {
    INTERNAL_API_KEY: KEY,
    SESSION_SECRET: SECRET,
    MAIL_FROM: 'Example <mail@example.org>',
    PUBLIC_URL: 'https://app.example.org',
    ...env,
  });
  ends.push(() => test[Symbol.asyncDispose]());
  const mail = test.modules.find(({ name }) => name === 'mail') as unknown as Mailer;
  const send = <Data>(template: MailTemplate<Data>, data: Data, to = TO, options?: MailOptions) =>
    test.database.transaction((tx) => mail.send(tx, template, to, data, options));
  const ask = async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const answer = await test.app.inject({
      method,
      url,
      headers: { 'x-api-key': KEY },
      ...(payload && { payload }),
    });
    return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
  };
  const outbox = async (): Promise<MailView[]> =>
    (await ask('GET', '/api/monitoring/mail/outbox')).body.items;
  const reaches = (state: MailState) =>
    until(`a mail is ${state}`, async () => (await outbox()).find((one) => one.state === state));
  return { test, mail, send, ask, outbox, reaches };
}

const content = async () => (await query(database.url, 'select content from mail_outbox')).rows[0].content;

it('sends what a transaction wrote, and erases it; and nothing of one that is rolled back', async () => {
  const { mails, url, connections } = await smtpServer();
  const { test, mail, send, reaches } = await start({ SMTP_URL: url });
  const failed = test.database.transaction(async (tx) => {
    await mail.send(tx, welcome, 'nobody@example.com', DATA);
    throw new Error('rolled back');
  });
  await expect(failed).rejects.toThrow('rolled back');
  const attachment = { name: 'a.txt', type: 'text/plain', content: Buffer.from('attached') };
  expect(await send(welcome, DATA, TO, { attachments: [attachment] })).toBe(true);
  const row = await reaches('sent');
  expect(row).toMatchObject({
    template: 'welcome',
    recipient: hashOf(TO),
    attempts: 1,
    repeats: 0,
    error: null,
  });
  expect(mails).toHaveLength(1);
  const [source = ''] = mails;
  for (const part of [
    'From: Example <mail@example.org>',
    `To: ${TO}`,
    'Subject: Welcome, Ada',
    'multipart/alternative',
    Buffer.from('attached').toString('base64'),
  ])
    expect(source).toContain(part);
  const { rows } = await query(database.url, 'select message_id, content from mail_outbox');
  expect(rows).toEqual([{ message_id: expect.any(String), content: null }]);
  expect(source).toContain(`Message-ID: <${rows[0].message_id}@example.org>`);
  expect(source).not.toContain('List-Unsubscribe');
  expect(JSON.stringify(test.lines)).not.toMatch(/very-secret|ada@/);
  await until('its connection is closed', () => connections.size === 0);
  expect((await test.app.metricsRegistry.scrape()).text).toContain(
    'mail_outcomes_total{template="welcome",outcome="sent"} 1',
  );
});

it('takes one statement', async () => {
  const { url } = await smtpServer();
  for (const { test, mail } of [await start(), await start({ SMTP_URL: url })]) {
    // The first of a process also writes the queue.
    await test.database.transaction((tx) => mail.send(tx, welcome, 'first@example.com', DATA));
    const statements: string[] = [];
    await test.database.transaction(async (tx) => {
      const { session } = tx as unknown as { session: { logger: { logQuery(text: string): void } } };
      session.logger = { logQuery: (text) => void (text === 'commit' || statements.push(text)) };
      expect(await mail.send(tx, welcome, TO, DATA)).toBe(true);
    });
    expect(statements).toHaveLength(1);
  }
});

it('writes three an hour by one template to one address, however many are asked for at once', async () => {
  const { send, outbox } = await start();
  const many = Array.from({ length: 20 }, () => send(welcome, DATA));
  expect((await Promise.all(many)).filter(Boolean)).toHaveLength(3);
  expect(await send({ ...welcome, perHour: 4 }, DATA)).toBe(true);
  expect(await send(welcome, DATA, 'Ada@Example.com')).toBe(false);
  expect(await send({ ...welcome, name: 'another' }, DATA)).toBe(true);
  // The first of each is an hour old.
  await query(
    database.url,
    `update mail_limits set written = (written[1] - interval '61 minutes') || written[2:]`,
  );
  expect(await send(welcome, DATA)).toBe(false);
  expect(await send({ ...welcome, perHour: 4 }, DATA)).toBe(true);
  expect(await outbox()).toHaveLength(6);
});

it('looks for no old rows where it wrote none', async () => {
  const { send } = await start();
  await query(
    database.url,
    `insert into mail_suppressed (recipient, reason) values ('${hashOf(TO)}', 'bounce')`,
  );
  expect(await send(welcome, DATA)).toBe(false);
  await query(database.url, `insert into mail_limits values ('old', 'welcome', '{2000-01-01}')`);
  const limits = async () => (await query(database.url, 'select recipient from mail_limits')).rows.length;
  expect(await send(welcome, DATA, 'bob@example.com')).toBe(true);
  await until('the old row is removed', async () => (await limits()) === 1);
});

interface Wrong {
  to?: string;
  data?: typeof DATA;
  attachment?: { name: string; type: string; bytes: number };
}
it.each<[string, Wrong]>([
  ['an address with a line break', { to: 'ada@example.com\r\nbcc: eve@example.com' }],
  ['two addresses', { to: 'ada@example.com,eve@example.com' }],
  ['an address with a name', { to: 'Ada <ada@example.com>' }],
  ['a subject with a line break', { data: { ...DATA, name: 'Ada\r\nBcc: eve@example.com' } }],
  ['a subject that is too long', { data: { ...DATA, name: 'a'.repeat(600) } }],
  ['a body that is too large', { data: { ...DATA, link: `/${'a'.repeat(600_000)}` } }],
  ['a link that is a script', { data: { ...DATA, link: 'javascript:alert(1)' } }],
  ['a file name with a line break', { attachment: { name: 'a\r\nb', type: 'text/plain', bytes: 1 } }],
  ['a type with a line break', { attachment: { name: 'a', type: 'text/plain\r\nX: y', bytes: 1 } }],
  ['attachments that are too large', { attachment: { name: 'a', type: 'text/plain', bytes: 6_000_000 } }],
])('refuses %s', async (_, { to = TO, data = DATA, attachment }) => {
  const { send, outbox } = await start();
  const attachments = attachment && [{ ...attachment, content: Buffer.alloc(attachment.bytes) }];
  await expect(send(welcome, data, to, attachments && { attachments })).rejects.toThrow(TypeError);
  expect(await outbox()).toEqual([]);
});

it('lists the mails to a person for an export, and forgets them with the account', async () => {
  const { test, send } = await start();
  await send(welcome, DATA);
  await send(welcome, DATA, 'bob@example.com');
  const { personalData } = test.modules.find(({ name }) => name === 'mail') ?? {};
  expect(await personalData?.export('1', 'ADA@example.com')).toMatchObject([{ template: 'welcome' }]);
  expect(await personalData?.export('2', 'eve@example.com')).toBeUndefined();
  await test.database.transaction(async (tx) => {
    await personalData?.erase(tx, '1', TO);
    await send(welcome, DATA, TO);
  });
  const { rows } = await query(database.url, 'select recipient from mail_outbox order by id');
  expect(rows.map(({ recipient }) => recipient)).toEqual([hashOf('bob@example.com'), hashOf(TO)]);
});

describe('an SMTP server', () => {
  it('that refuses for good is not asked again, and the reason names no address', async () => {
    let asked = 0;
    const { url } = await smtpServer({
      onRcptTo: ({ address }, _session, done) => {
        asked++;
        done(Object.assign(new Error(`no mailbox <${address}>`), { responseCode: 550 }));
      },
    });
    const { test, send, reaches } = await start({ SMTP_URL: url });
    await send(welcome, DATA);
    const { error, attempts } = await reaches('failed');
    expect(error).toContain('550');
    expect(error).toContain('[address]');
    expect([attempts, asked]).toEqual([1, 1]);
    expect(JSON.stringify(test.lines)).not.toContain('ada@');
    const { rows } = await query(database.url, `select from pgboss.job where state = 'failed'`);
    expect(rows).toEqual([]);
  });

  it('that quotes the mail in its refusal is quoted without', async () => {
    const { url } = await smtpServer({
      async onData(stream, _session, done) {
        await text(stream);
        const message = `5.7.1 ${DATA.link}. is listed, see https://relay.example/help/554-7`;
        done(Object.assign(new Error(message), { responseCode: 554 }));
      },
    });
    const { send, reaches } = await start({ SMTP_URL: url });
    await send(welcome, DATA);
    const { error } = await reaches('failed');
    expect(error).not.toContain('very-secret');
    expect(error).toContain('see https://relay.example/help/554-7');
  });

  it('that answers 4xx is asked again, until it takes the mail', async () => {
    let asked = 0;
    const { mails, url } = await smtpServer({
      onRcptTo: (_address, _session, done) =>
        ++asked === 1 ? done(Object.assign(new Error('try later'), { responseCode: 451 })) : done(),
    });
    const { send, reaches } = await start({ SMTP_URL: url });
    await send(welcome, DATA);
    expect(await reaches('sent')).toMatchObject({ attempts: 2, repeats: 0 });
    expect(mails).toHaveLength(1);
  });

  it('that refuses some recipients for now sends to the others', async () => {
    const { mails, url } = await smtpServer({
      onRcptTo({ address }, _session, done) {
        const error = Object.assign(new Error('4.1.2 Domain not found'), { responseCode: 450 });
        done(address.endsWith('@example.com') ? null : error);
      },
    });
    const { send, outbox, reaches } = await start({ SMTP_URL: url });
    const recipients = Array.from({ length: 12 }, (_, at) => `ada${at}@nowhere.example`);
    for (const to of recipients) await send(welcome, DATA, to);
    await until('each was refused', async () =>
      (await outbox()).every(({ attempts, state }) => attempts > 0 && state === 'waiting'),
    );
    await send(welcome, DATA);
    await reaches('sent');
    expect(mails).toHaveLength(1);
  });

  it('that drops the connection behind the mail may have sent it, which is counted', async () => {
    let asked = 0;
    const { url } = await smtpServer({
      onData: async (stream, session, done) => {
        await text(stream);
        if (++asked > 1) return done();
        for (const one of connections) if (one.session === session) one._socket.destroy();
      },
      onConnect(this: SMTPServer, _session, done) {
        connections = (this as unknown as { connections: typeof connections }).connections;
        done();
      },
    } as SMTPServerOptions);
    let connections = new Set<{ session: unknown; _socket: { destroy(): void } }>();
    const { test, send, reaches } = await start({ SMTP_URL: url });
    await send(welcome, DATA);
    expect(await reaches('sent')).toMatchObject({ attempts: 2, repeats: 1 });
    expect((await test.app.metricsRegistry.scrape()).text).toContain('outcome="repeated"} 1');
  });

  it('that stalls is given up', async () => {
    const { url } = await smtpServer({ onMailFrom: () => {} });
    const { send, outbox } = await start({ SMTP_URL: `${url}/?socketTimeout=300` });
    await send(welcome, DATA);
    await until('it was given up', async () => (await outbox())[0]?.error?.includes('Timeout'));
  });

  // Not loopback by its name: 0.0.0.0 reaches this machine all the same.
  it('elsewhere that offers no TLS, or whose offer was removed, is sent nothing', async () => {
    const { mails, port } = await smtpServer();
    const { send, outbox } = await start({ SMTP_URL: `smtp://0.0.0.0:${port}` });
    await send(welcome, DATA);
    // It is tried again and again.
    const { error, repeats } = await until('it was tried', async () =>
      (await outbox()).find((one) => one.error && one.state === 'waiting'),
    );
    expect(error).toMatch(/offers no TLS, or a third party hides it\. Use smtps:.*requireTLS=false/);
    expect(repeats).toBe(0);
    expect(mails).toEqual([]);
  });

  it.each([
    ['that offers TLS is sent over it', {}, 'tls.rejectUnauthorized=false', true],
    [
      'is sent in the clear where SMTP_URL says so',
      { disabledCommands: ['AUTH', 'STARTTLS'] },
      'requireTLS=false',
      false,
    ],
  ])('elsewhere %s', async (_, options, parameter, isSecure) => {
    const secure: boolean[] = [];
    const { port } = await smtpServer({
      disabledCommands: ['AUTH'],
      ...options,
      onMailFrom(_address, session, done) {
        secure.push(session.secure);
        done();
      },
    });
    const { send, reaches } = await start({ SMTP_URL: `smtp://0.0.0.0:${port}/?${parameter}` });
    await send(welcome, DATA);
    await reaches('sent');
    expect(secure).toEqual([isSecure]);
  });

  it('that refuses the password refuses no mail', async () => {
    const { port } = await smtpServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(Object.assign(new Error('wrong'), { responseCode: 535 })),
    });
    const { test, send, outbox } = await start({ SMTP_URL: `smtp://user:wrong-secret@127.0.0.1:${port}` });
    await send(welcome, DATA);
    await until('it was refused, and waits', async () =>
      (await outbox()).find((one) => one.error && one.state === 'waiting'),
    );
    expect(JSON.stringify(test.lines)).not.toContain('wrong-secret');
  });
});

it.each([
  [
    { MAILGUN_API_KEY: 'key-1', MAILGUN_DOMAIN: 'mg.example.org' },
    'MAILGUN_URL',
    '/v3/mg.example.org/messages',
  ],
  [{ SENDGRID_API_KEY: 'SG.1' }, 'SENDGRID_URL', '/v3/mail/send'],
] as const)('sends by %j', async (env, variable, path) => {
  // A server that fails, and a key that is wrong, are asked again; a 400 is for good.
  const service = await httpService(503, 401, 200, 400);
  const { send, reaches } = await start({ ...env, [variable]: service.url });
  await send(news, undefined);
  expect(await reaches('sent')).toMatchObject({ attempts: 3, repeats: 0 });
  const { rows } = await query(database.url, 'select message_id from mail_outbox');
  const bodies = service.requests.map(({ body }) => body);
  for (const [n, body] of bodies.entries()) {
    expect(service.requests[n]?.url).toBe(path);
    for (const part of [
      TO,
      'mail@example.org',
      `<${rows[0].message_id}@example.org>`,
      'List-Unsubscribe=One-Click',
    ])
      expect(body).toContain(part);
  }
  await send(welcome, DATA);
  expect(await reaches('failed')).toMatchObject({ attempts: 1, error: 'answered 400' });
});

it('reads what other guides name, or says what it is here', () => {
  const load = (env: Record<string, string>) =>
    loadConfig(
      mailSettings,
      { NODE_ENV: 'production', DATABASE_URL: database.url, ...env },
      '/nowhere',
      false,
    );
  const { config } = load({
    EMAIL_SERVER: 'smtps://u:p@mail.example.org',
    EMAIL_FROM: 'a@example.org',
    SENDGRID_KEY: 'k',
  });
  expect(config.mail).toMatchObject({
    smtpUrl: 'smtps://u:p@mail.example.org',
    from: { address: 'a@example.org' },
    sendgrid: { key: 'k' },
  });
  for (const [name, meant] of [
    ['SMTP_HOST', 'SMTP_URL'],
    ['MAIL_HOST', 'SMTP_URL'],
    ['EMAIL_SERVER_HOST', 'SMTP_URL'],
    ['RESEND_API_KEY', 'SMTP_URL'],
    ['MAIL_FROM_NAME', 'MAIL_FROM'],
  ] as const)
    expect(load({ [name]: 'x' }).warnings).toEqual([expect.stringMatching(`^${name} is not read.*${meant}`)]);
});

it('refuses two providers, and half of one', async () => {
  const two = start({ SMTP_URL: 'smtp://localhost', SENDGRID_API_KEY: 'SG.1' });
  await expect(two).rejects.toThrow(/SMTP_URL, SENDGRID_API_KEY\s+are set/);
  await expect(start({ MAILGUN_API_KEY: 'key' })).rejects.toThrow('MAILGUN_DOMAIN is not');
  await expect(start({ MAIL_FROM: 'a@b.c\r\nX: y' })).rejects.toThrow('is no address');
});

it('keeps mails in production without a provider, says so, and sends them once there is one', async () => {
  const first = await start();
  expect(first.mail.delivers).toBe(false);
  await first.send(welcome, DATA);
  await first.send({ ...welcome, name: 'late', validHours: 1 }, DATA);
  expect((await first.outbox()).map(({ state }) => state)).toEqual(['held', 'held']);
  const { status, body } = await first.ask('GET', '/health');
  expect(status).toBe(200);
  expect(body.checks.mail).toMatchObject({ status: 'degraded', error: 'no provider is set: 2 mails wait' });
  expect((await first.ask('GET', '/ready')).status).toBe(200);
  const { items } = (await first.ask('GET', '/api/monitoring/production-readiness')).body;
  expect(JSON.stringify(items ?? (await first.ask('GET', '/api/monitoring/readiness')).body)).toContain(
    'SMTP_URL',
  );
  await query(database.url, `update mail_outbox set expires_at = now() where template = 'late'`);

  const { mails, url } = await smtpServer();
  const second = await start({ SMTP_URL: url });
  await second.reaches('sent');
  await second.reaches('expired');
  expect(mails).toHaveLength(1);
  expect(await content()).toBeNull();
});

it('defines a job where there is a provider alone, so that nothing runs for mail without', async () => {
  const queues = async (env: Record<string, string>) =>
    (await (await start(env)).ask('GET', '/api/monitoring/jobs')).body.queues.map(
      ({ name }: { name: string }) => name,
    );
  expect(await queues({})).toEqual([]);
  expect(await queues({ ENCRYPTION_KEY: SECRET })).toEqual([]);
  expect(await queues({ SMTP_URL: 'smtp://localhost' })).toEqual(['send-mail']);
});

it('sends to no address that is suppressed, and no bulk mail to one that has unsubscribed', async () => {
  const { test, send, ask } = await start();
  await send(news, undefined);
  const { unsubscribeUrl, html: body, text: plain } = JSON.parse((await content()).replace(/^v0\./, ''));
  expect(body).toContain(unsubscribeUrl);
  expect(plain).toContain(unsubscribeUrl);
  const path = new URL(unsubscribeUrl).pathname;
  const post = (url: string) =>
    test.app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'List-Unsubscribe=One-Click',
    });
  // A scanner that follows links changes nothing.
  expect((await test.app.inject(path)).body).toContain('<button>');
  expect(await send(news, undefined)).toBe(true);
  const forged = path.replace(hashOf(TO), hashOf('eve@example.com'));
  expect((await post(forged)).statusCode).toBe(404);
  expect((await post(path)).statusCode).toBe(200);
  expect(await send(news, undefined)).toBe(false);
  expect(await send(welcome, DATA)).toBe(true);

  const added = await ask('POST', '/api/monitoring/mail/suppressions', { address: 'ADA@example.com' });
  expect(added).toMatchObject({
    status: 201,
    body: { bulkOnly: false, reason: 'operator', recipient: hashOf(TO) },
  });
  expect(await send(welcome, DATA)).toBe(false);
  expect((await post(path)).statusCode).toBe(200);
  const { body: page } = await ask('GET', `/api/monitoring/mail/suppressions?address=${TO}`);
  expect(page.items).toMatchObject([{ reason: 'operator', bulkOnly: false }]);
  expect((await ask('DELETE', `/api/monitoring/mail/suppressions/${added.body.id}`)).status).toBe(204);
  expect(await send(welcome, DATA)).toBe(true);
});

it.each([
  ['ada@example。com'],
  ['ada@EXAMPLE．com'],
  ['ada@ｅxample.com'],
  ['ada@example.com.'],
  ['ada@xn--bcher-kva.example', 'ada@bücher.example'],
])('knows an address that is suppressed as %s', async (to, address = TO) => {
  const { send, ask } = await start();
  await ask('POST', '/api/monitoring/mail/suppressions', { address });
  expect(await send(welcome, DATA, to)).toBe(false);
  expect(hashOf(to)).toBe(hashOf(address));
});

it('lets a mail be sent by one job, and counts what its process did not end', async () => {
  const { test, send, outbox } = await start();
  await send(welcome, DATA);
  await query(database.url, `update mail_outbox set state = 'waiting'`);
  const store = new Outbox({ db: test.database.db, database: test.database } as MailPlatform);
  const [{ id } = { id: 0 }] = await outbox();
  const [one, other] = [
    '01234567-89ab-4def-8123-456789abcde0',
    '01234567-89ab-4def-8123-456789abcde1',
  ] as const;
  expect(await store.claim(id, one)).toMatchObject({ isRepeat: false, content: { to: TO } });
  expect(await store.claim(id, other)).toBeUndefined();
  expect(await store.claim(id, one)).toMatchObject({ isRepeat: true });
  expect(await outbox()).toMatchObject([{ state: 'sending', attempts: 2, repeats: 1 }]);
});

it('removes all that is old, and keeps no content of what was never sent', async () => {
  const { test } = await start();
  await query(
    database.url,
    `insert into mail_outbox (template, recipient, bulk, state, content, expires_at, started_at, ended_at)
      select 'old', 'x', false, 'sent', null, now(), null, now() - interval '31 days' from generate_series(1, 1100)
      union all select state, 'x', false, state, 'v0.{}', now() - interval '1 hour', now() - interval '1 hour', null
        from unnest(array['held', 'waiting', 'sending']) state
      union all select 'under way', 'x', false, 'sending', 'v0.{}', now() - interval '1 hour', now(), null`,
  );
  await query(
    database.url,
    `insert into mail_limits values ('x', 'old', array[now() - interval '2 hours', now() - interval '61 minutes']),
      ('x', 'new', array[now() - interval '2 hours', now()])`,
  );
  const log = { error() {} };
  await new Outbox({ db: test.database.db, log } as unknown as MailPlatform).clean();
  const { rows } = await query(
    database.url,
    'select template, state, content is null as erased from mail_outbox order by id',
  );
  expect(rows).toEqual([
    ...['held', 'waiting', 'sending'].map((template) => ({ template, state: 'expired', erased: true })),
    // By an attempt that has begun in time.
    { template: 'under way', state: 'sending', erased: false },
  ]);
  expect((await query(database.url, 'select template from mail_limits')).rows).toEqual([{ template: 'new' }]);
});

it('fails a mail that cannot be decrypted, and says why', async () => {
  const { mails, url } = await smtpServer();
  const held = await start({ ENCRYPTION_KEY: KEY });
  await held.send(welcome, DATA);
  await query(database.url, `update mail_outbox set content = overlay(content placing 'AAAA' from 30)`);
  const { reaches } = await start({ ENCRYPTION_KEY: KEY, SMTP_URL: url });
  const { attempts, error } = await reaches('failed');
  expect([attempts, error]).toEqual([1, expect.stringContaining('mail_outbox.content does not open')]);
  expect(mails).toEqual([]);
});

it('shows operators mails without what they say, and sends one again', async () => {
  const service = await httpService(400, 200);
  const { test, send, ask, reaches } = await start({ SENDGRID_API_KEY: 'SG.1', SENDGRID_URL: service.url });
  for (const path of ['', '/outbox', '/suppressions'])
    expect((await test.app.inject(`/api/monitoring/mail${path}`)).statusCode).toBe(401);
  await send(welcome, DATA);
  const { id } = await reaches('failed');
  const { body } = await ask('GET', '/api/monitoring/mail/outbox?state=failed&template=welcome');
  expect(body.items).toHaveLength(1);
  expect(JSON.stringify(body)).not.toMatch(/ada@|very-secret/);
  expect((await ask('GET', '/api/monitoring/mail/outbox?state=sent')).body.items).toEqual([]);
  expect((await ask('POST', `/api/monitoring/mail/outbox/${id}/retry`)).status).toBe(204);
  await reaches('sent');
  expect((await ask('POST', `/api/monitoring/mail/outbox/${id}/retry`)).status).toBe(409);
  expect((await ask('POST', '/api/monitoring/mail/outbox/999/retry')).status).toBe(404);
  expect((await ask('GET', '/api/monitoring/mail')).body).toMatchObject({
    provider: 'sendgrid',
    from: 'Example <mail@example.org>',
    states: [{ state: 'sent', count: 1 }],
    templates: ['welcome'],
  });
});

describe('in development', () => {
  const development = {
    NODE_ENV: 'development',
    PUBLIC_URL: 'http://localhost:5000',
    ALLOWED_HOSTS: 'app.example',
  };
  const ask = (test: TestApp, path: string, from = '127.0.0.1', headers = {}) =>
    test.app.inject({
      url: `/api/dev/mail${path}`,
      remoteAddress: from,
      headers: { host: 'localhost', ...headers },
    });

  it('mails are read in the mailbox, in a sandbox, with their links', async () => {
    const { test, send } = await start(development);
    await send(welcome, { ...DATA, name: '<b>Ada' });
    // Encrypted with the key that development makes.
    expect(await content()).toMatch(/^v1\./);
    const { items } = (await ask(test, '')).json();
    expect(items).toMatchObject([{ template: 'welcome', to: TO, subject: 'Welcome, <b>Ada' }]);
    const [{ id }] = items;
    expect((await ask(test, `/${id}`)).json()).toMatchObject({ text: expect.stringContaining(DATA.link) });
    const document = await ask(test, `/${id}/html`);
    expect(document.body).toContain(`<base target="_blank">`);
    expect(document.body).toContain('Hello &lt;b&gt;Ada');
    expect(document.body).toContain(DATA.link);
    const policy = String(document.headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'.*sandbox allow-popups .*frame-ancestors 'self'/);
    expect(policy).not.toMatch(/allow-scripts|allow-same-origin/);
    expect(document.headers['x-frame-options']).toBe('SAMEORIGIN');
    const source = await ask(test, `/${id}/source`);
    expect(source.headers['content-type']).toContain('text/plain');
    expect(source.body).toContain('Message-ID:');
    expect((await ask(test, '/999')).statusCode).toBe(404);
    // The page that frames it may.
    expect(test.app.securityHeaders['content-security-policy']).toContain("frame-src 'self'");
  });

  it('the mailbox is for this machine, and for operators', async () => {
    const { test } = await start(development);
    expect((await ask(test, '', '192.0.2.1')).statusCode).toBe(401);
    for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'via'])
      expect((await ask(test, '', '127.0.0.1', { [header]: '192.0.2.1' })).statusCode, header).toBe(401);
    expect((await ask(test, '', '192.0.2.1', { 'x-api-key': KEY })).statusCode).toBe(200);
    const guess = async (n: number) =>
      (await ask(test, '', '192.0.2.1', { 'x-api-key': `guess-${n}` })).statusCode;
    for (let n = 0; n < 10; n++) expect(await guess(n)).toBe(401);
    expect(await guess(10)).toBe(429);
  });

  it('one that cannot be decrypted hides no other', async () => {
    const { test, send } = await start(development);
    await send(welcome, DATA);
    await query(database.url, `update mail_outbox set content = overlay(content placing 'AAAA' from 30)`);
    await send(welcome, { ...DATA, name: 'Bob' });
    const { items } = (await ask(test, '')).json();
    expect(items).toMatchObject([
      { to: TO, subject: 'Welcome, Bob' },
      { to: '', subject: expect.stringContaining('cannot be decrypted') },
    ]);
    expect((await ask(test, `/${items[1].id}/html`)).statusCode).toBe(404);
  });

  it('and nowhere else', async () => {
    const { test } = await start();
    expect((await ask(test, '')).statusCode).toBe(404);
    expect(test.app.securityHeaders['content-security-policy']).not.toContain('frame-src');
  });
});
