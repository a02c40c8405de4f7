import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { runCommand } from '../tests/support/run-command.ts';
import { freePort } from '../tests/support/server.ts';

const KEY = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
let database: TestDatabase;
let test: TestApp;
let url: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'production-ready-'));
  database = await createDatabase();
  test = await createTestApp(database.url, {
    INTERNAL_API_KEY: KEY,
    SESSION_SECRET: 'Wq8vT3nLx0ZcR6yBm1KfJp7sGdHa5EuN2iOoCk9tXbY',
    PUBLIC_URL: 'https://app.example.com',
    MAX_INSTANCES: '1',
    TRUST_PROXY: 'loopback',
    SMTP_URL: 'smtp://localhost',
    MAIL_FROM: 'mail@example.com',
  });
  url = await test.listen();
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Runs it in an empty folder, with this environment alone. */
const run = (args: string[], env: Record<string, string> = {}) =>
  runCommand(process.execPath, [join(import.meta.dirname, 'production-ready.ts'), ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_ENV: 'development', ...env },
  });

it('shows every item, its remedy, and a summary', async () => {
  const { code, output } = await run([url], { INTERNAL_API_KEY: KEY });
  expect(output).toContain(`${url} · test-000000\n`);
  expect(output).toMatch(/^ok {4}Database connections +\(DB_POOL_SIZE 20 \+ 1\) × MAX_INSTANCES 1 = 21;/m);
  expect(output).toMatch(/^warn {2}Host names +It answers for any Host\.\n +→ Set ALLOWED_HOSTS/m);
  expect(output).toMatch(/\n\d+ passed, \d+ warnings, 0 failed\n$/);
  expect(Math.max(...output.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
  expect(output).not.toContain(KEY);
  expect(code).toBe(0);
});

it('asks the server of this clone where no address is given', async () => {
  const { code, output } = await run([], { PORT: new URL(url).port, INTERNAL_API_KEY: KEY });
  expect(output).toContain('test-000000');
  expect(code).toBe(0);
});

it('sends the key that the clone made for itself to its own server alone', async () => {
  // It has a key now, which is another than the server's.
  const own = await run([], { PORT: new URL(url).port });
  expect(own).toEqual({ code: 1, output: expect.stringContaining('refuses this key') });
  expect(await run([url])).toEqual({
    code: 1,
    output: `Set INTERNAL_API_KEY to the operators' key of ${url}: only operators may ask.\n`,
  });
});

it('exits with 1 if something fails or the server cannot be reached', async () => {
  expect((await run([`http://127.0.0.1:${await freePort()}`], { INTERNAL_API_KEY: KEY })).output).toMatch(
    /ECONNREFUSED/,
  );
  expect((await run(['elsewhere'], { INTERNAL_API_KEY: KEY })).output).toMatch(
    /'elsewhere' is not an address/,
  );
  await fetch(url, { headers: { 'x-forwarded-for': '203.0.113.9' } });
  expect((await run([url], { INTERNAL_API_KEY: KEY })).code).toBe(0);
  test.app.untrustedProxy = '198.51.100.7';
  const { code, output } = await run([url], { INTERNAL_API_KEY: KEY });
  expect(output).toMatch(/^FAIL {2}Proxies +198\.51\.100\.7 sends X-Forwarded-For/m);
  expect(code).toBe(1);
});
