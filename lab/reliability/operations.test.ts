/** What the module operations promises under load and in bad times. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createDatabase } from '../../tests/support/postgres.ts';
import { openRaw } from '../../tests/support/raw-http.ts';
import { startServer } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { until } from '../../tests/support/until.ts';
import { ms, record, within } from './support/suite.ts';

const KEY = randomBytes(32).toString('base64url');

it('operators see within 6 s that the database has stopped', async () => {
  const database = await createDatabase();
  const url = new URL(database.url);
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  await using server = await startServer({ DATABASE_URL: url.href, INTERNAL_API_KEY: KEY });
  await server.ready();
  await using screen = await openRaw(server.url);
  let said = '';
  screen.socket.on('data', (chunk) => (said += chunk));
  screen.socket.write(`GET /api/monitoring/stream HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${KEY}\r\n\r\n`);
  await until('figures', () => said.includes('"ready":true'));
  const began = performance.now();
  await proxy.refuse();
  await until('the loss', () => said.includes('"ready":false'));
  expect(performance.now() - began).toBeLessThan(within(6_000));
  await proxy.stop();
});

it('event streams are told to go elsewhere, and hold nothing up', async () => {
  const database = await createDatabase();
  const key = randomBytes(32).toString('hex');
  await using server = await startServer({
    DATABASE_URL: database.url,
    DRAIN_DELAY_MS: '3000',
    INTERNAL_API_KEY: key,
  });
  await server.ready();
  const open = async () => {
    const answer = await fetch(`${server.url}/api/monitoring/stream`, { headers: { 'x-api-key': key } });
    expect(answer.status).toBe(200);
    // Resolves when the stream has ended.
    return { text: answer.text() };
  };
  const streams = await Promise.all(Array.from({ length: 20 }, open));
  await sleep(500);
  const signalled = performance.now();
  const exit = server.end();
  // One that comes when all of them have been told is answered, and ended as well.
  await sleep(300);
  streams.push(await open());
  const texts = await Promise.all(streams.map(({ text }) => text));
  expect(await exit).toBe(0);
  const took = performance.now() - signalled;
  const told = texts.filter((text) => text.includes('event: reconnect\n')).length;
  record(
    'streams',
    `${told} of 20 told; one that came meanwhile was answered and ended; exit ${ms(took)} after the signal, DRAIN_DELAY_MS=3000`,
  );
  expect(told).toBe(20);
  expect(texts.at(-1)).toContain('event: figures\n');
  expect(took).toBeLessThan(within(4_000));
});
