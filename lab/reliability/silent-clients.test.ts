/** Clients that begin and do not go on. In a process of its own: its limit lies a second above what the server takes. */
import { expect, it } from 'vitest';
import { createDatabase } from '../../tests/support/postgres.ts';
import { openRaw } from '../../tests/support/raw-http.ts';
import { startServer } from '../../tests/support/server.ts';
import { within } from './support/suite.ts';

it('a client that sends nothing, half of the headers or half of a body is disconnected within 12.5 s', async () => {
  const database = await createDatabase();
  await using server = await startServer({ DATABASE_URL: database.url });
  await server.ready();
  const head = 'POST /api/status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const times = await Promise.all(
    ['', head, `${head}Content-Length: 99999\r\n\r\n{`].map(async (text) => {
      const client = await openRaw(server.url);
      const began = performance.now();
      client.socket.write(text);
      await client.closed;
      return performance.now() - began;
    }),
  );
  expect(Math.max(...times)).toBeLessThan(within(12_500));
});
