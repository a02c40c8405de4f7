import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createDatabase, query } from '../../../tests/support/postgres.ts';
import { runCommand } from '../../../tests/support/run-command.ts';
import { ROOT, startServer } from '../../../tests/support/server.ts';
import { user } from '../../../tests/support/user.ts';

it('the smoke test writes a note and leaves none behind, and none at all with --read-only', async () => {
  const database = await createDatabase();
  await using server = await startServer({ DATABASE_URL: database.url });
  await server.ready();
  const SMOKE_API_KEY = user.headers.authorization?.replace('Bearer ', '') ?? '';
  const smoke = async (...args: string[]) => {
    const command = [join(ROOT, 'scripts/smoke.ts'), server.url, ...args];
    return (await runCommand(process.execPath, command, { env: { SMOKE_API_KEY } })).output;
  };
  const notes = async () => (await query(database.url, 'select deleted_at from notes')).rows;
  expect(await smoke('--read-only')).toMatch(/^skip {2}a note .* --read-only$/m);
  expect(await notes()).toEqual([]);
  expect(await smoke()).toMatch(/^ok {4}a note is written, read and deleted +201, 200, 204, 404$/m);
  expect(await notes()).toEqual([{ deleted_at: expect.any(Date) }]);
});
