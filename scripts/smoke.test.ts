import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDatabase } from '../tests/support/postgres.ts';
import { runCommand } from '../tests/support/run-command.ts';
import { freePort, startServer } from '../tests/support/server.ts';

const smoke = (...args: string[]) =>
  runCommand(process.execPath, [join(import.meta.dirname, 'smoke.ts'), ...args]);

describe.concurrent('the smoke test', () => {
  it('passes a server as it is shipped', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    const { code, output } = await smoke(server.url);
    expect(output).not.toContain('FAIL');
    expect(output).toMatch(/^ok {4}\/ready +200 in \d+ ms$/m);
    expect(output).toMatch(/^ok {4}\/assets\/.*\.js +\d+ characters, br, gzip, immutable, 304$/m);
    expect(code).toBe(0);
  });

  it('fails a server that is not ready, and says why', async () => {
    await using server = await startServer({
      DATABASE_URL: `postgres://u:p@127.0.0.1:${await freePort()}/d`,
      STARTUP_HOLD_MS: '100',
    });
    await server.open();
    const { code, output } = await smoke(server.url);
    expect(code).toBe(1);
    expect(output).toMatch(/^FAIL {2}\/ready +503 instead of 200: .*"state":"starting"/m);
    expect(output).toMatch(/^ok {4}\/live/m);
  });

  it('fails whatever else answers 200', async () => {
    const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { code, output } = await smoke(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(code).toBe(1);
    for (const what of [
      '/live',
      '/ready',
      'version',
      'security headers of /',
      'the page',
      "operators' routes",
    ]) {
      expect(output).toContain(`FAIL  ${what} `);
    }
    server.close();
  });

  it('says what cannot be reached, and how it is called', async () => {
    const { code, output } = await smoke(`http://127.0.0.1:${await freePort()}`);
    expect([code, output]).toEqual([1, expect.stringMatching(/^FAIL {2}reachable +ECONNREFUSED/)]);
    expect(await smoke()).toEqual({
      code: 1,
      output: expect.stringContaining('npm run test:smoke -- https://'),
    });
  });
});
