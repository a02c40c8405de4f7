import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyBuild } from './support/build.ts';
import { createDatabase, query } from './support/postgres.ts';
import { startServer } from './support/server.ts';

const NAME = '9000_thing';
const DEVELOPMENT = { NODE_ENV: 'development' };

describe('a changed migration, in development', { timeout: 180_000 }, () => {
  it('is applied again by the commands that its refusal names', async () => {
    const database = await createDatabase();
    await using build = await copyBuild({ [NAME]: 'create table thing (n int)' });
    const env = { ...DEVELOPMENT, DATABASE_URL: database.url };
    const start = (more = {}) => startServer({ ...env, ...more }, { main: build.main });
    {
      await using server = await start();
      await server.ready();
      await server.end();
    }
    await writeFile(join(build.folder, 'drizzle', `${NAME}.sql`), 'create table thing (n int, m int)');
    {
      await using server = await start({ NODE_ENV: 'production' });
      expect(await server.ended()).toBe(70);
      expect(server.output()).not.toContain('In development');
    }
    await using refused = await start();
    expect(await refused.ended()).toBe(70);
    const [, sql = ''] = /psql "\$DATABASE_URL" -c "([^"]+)"/.exec(text(refused.output())) ?? [];
    expect(sql).toMatch(/^delete from drizzle\.__drizzle_migrations where created_at = \d+$/);
    expect(text(refused.output())).toMatch(/^ {2}rm -r \.data\/postgres$/m);
    await query(database.url, 'drop table thing');
    await query(database.url, sql);
    await using server = await start();
    await server.ready();
    expect((await query(database.url, 'select n, m from thing')).rows).toEqual([]);
    await server.end();
    await database.drop();
  });
});

/** The lines of a log's messages and errors, as they are read. */
const text = (output: string) => output.replaceAll('\\n', '\n').replaceAll('\\"', '"');
