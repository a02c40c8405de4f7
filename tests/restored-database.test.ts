import { expect, it } from 'vitest';
import { copyBuild } from './support/build.ts';
import { createDatabase, query } from './support/postgres.ts';
import { startServer } from './support/server.ts';
import { until } from './support/until.ts';

it('a database that was restored without its journal: its data migration is not run again', {
  timeout: 180_000,
}, async ({ onTestFinished }) => {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  await using build = await copyBuild({
    '9000_accounts': 'create table accounts (balance int)',
    '9001_cents': 'update accounts set balance = balance * 100;',
  });
  const { main } = build;
  await query(database.url, 'create table accounts (balance int)');
  await query(database.url, 'insert into accounts values (500)');
  await query(database.url, 'drop schema drizzle cascade');
  const balance = async () => (await query(database.url, 'select balance from accounts')).rows[0].balance;
  const run = async (args: string[], env: Record<string, string> = {}) => {
    await using server = await startServer({ DATABASE_URL: database.url, ...env }, { main, args });
    return { code: await server.ended(), output: server.output() };
  };
  const CHOICES =
    /0*9001_cents\.sql: update accounts[\s\S]*accounts holds rows[\s\S]*--adopt=record[\s\S]*--adopt=run[\s\S]*MIGRATE_ADOPT/;

  for (const args of [['serve'], ['migrate'], ['migrate', '--status'], ['migrate', '--dry-run']]) {
    expect(await run(args)).toEqual({ code: 70, output: expect.stringMatching(CHOICES) });
    expect(await balance()).toBe(500);
  }
  expect((await run(['migrate', '--status'])).output).toMatch(/^pending {2}9001_cents .*--adopt=record/m);
  expect(await run(['migrate', '--adopt=nothing'])).toMatchObject({
    output: expect.stringContaining('Usage'),
  });
  const dry = await run(['migrate', '--dry-run', '--adopt=record']);
  expect(dry.code).toBe(0);
  expect(dry.output).not.toContain('update accounts');
  await using server = await startServer({ DATABASE_URL: database.url, MIGRATE_ADOPT: 'record' }, { main });
  await server.ready();
  expect(await balance()).toBe(500);
  await until('what to do in the log', () => server.output().includes('Unset MIGRATE_ADOPT'));
  expect(await run(['migrate'])).toMatchObject({ code: 0 });
  expect(await balance()).toBe(500);
});
