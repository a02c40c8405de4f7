/** Mail in a process of its own: read in development with nothing configured, and nothing that runs once it is sent. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MailboxItem } from '#contracts/mail.ts';
import { createDatabase, query, type TestDatabase } from './support/postgres.ts';
import { type SpawnedServer, startServer } from './support/server.ts';
import { startSmtpServer } from './support/smtp.ts';
import { COUNTING_TIMERS, timersFired } from './support/timers.ts';
import { until } from './support/until.ts';

const main = join(import.meta.dirname, 'support', 'mail-fixture', 'main.ts');
let database: TestDatabase;
let server: SpawnedServer;
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const write = async () => {
  const answer = await fetch(`${server.url}/api/numbers?from=7&count=1`, { method: 'POST' });
  expect(answer.status).toBe(201);
};
const connections = async (): Promise<{ pid: number; asked: Date }[]> => {
  const [, cluster = '', name = ''] = /^(.*)\/([^/]+)$/.exec(database.url) ?? [];
  const { rows } = await query(
    `${cluster}/postgres`,
    `select pid, query_start as asked from pg_stat_activity
      where datname = $1 and backend_type = 'client backend' order by pid`,
    [name],
  );
  return rows;
};

it('is read in development, with nothing configured', async () => {
  server = await startServer({ DATABASE_URL: database.url, NODE_ENV: 'development' }, { main });
  await server.ready();
  await write();
  const { items } = (await (await fetch(`${server.url}/api/dev/mail`)).json()) as { items: MailboxItem[] };
  expect(items).toMatchObject([{ to: 'person7@example.com', subject: 'number 7' }]);
  const document = await fetch(`${server.url}/api/dev/mail/${items[0]?.id}/html`);
  expect(await document.text()).toContain('This is 7');
  expect(document.headers.get('content-security-policy')).toContain('sandbox');
});

it('leaves no timer, statement or connection behind', async () => {
  await using smtp = await startSmtpServer();
  server = await startServer(
    {
      DATABASE_URL: database.url,
      DB_IDLE_TIMEOUT_MS: '1000',
      MAIL_FROM: 'app@example.org',
      SMTP_URL: smtp.url,
    },
    { main, flags: COUNTING_TIMERS },
  );
  await server.ready();
  await write();
  await until('it is sent', () => smtp.mails.length === 1);
  // Alerts ask for the last time 2 s to 4 s after the last request, on a timer that fires each second until then.
  await until('it to do nothing for 3 s, with no connection but the one that listens', async () => {
    await timersFired(server);
    await sleep(3_000);
    const [ours] = await timersFired(server);
    return ours === 0 && smtp.connections.size === 0 && (await connections()).length === 1;
  });
  const before = await connections();
  await sleep(5_000);
  expect(await timersFired(server)).toEqual([0]);
  expect(await connections()).toEqual(before);
  expect(await server.end()).toBe(0);
});
