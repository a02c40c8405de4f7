import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../server/platform/database/migrations/migrator.ts';
import { databaseUrl, query, startTestPostgres } from './postgres.ts';
import { addUser, user } from './user.ts';

const migrations = resolve(import.meta.dirname, '../../drizzle');

/** Once for each run of the tests: a PostgreSQL, and in it a template, migrated and with a user, that every test database is copied from. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const postgres = await startTestPostgres();
  const client = new pg.Client(postgres.url);
  await client.connect();
  // Two runs at once share the cluster: one of them makes the template, the other waits and finds it.
  await client.query(`SELECT pg_advisory_lock(hashtext('test template'))`);
  await dropLeftovers(client);
  const template = await migratedTemplate(client, postgres.url);
  // As long as this session lasts, a run with other migrations leaves this template alone.
  await client.query('SELECT pg_advisory_lock_shared(hashtext($1))', [template]);
  await client.query(`SELECT pg_advisory_unlock(hashtext('test template'))`);
  provide('postgresUrl', postgres.url);
  provide('migratedTemplate', template);
  return async () => {
    await client.end();
    await postgres.release();
  };
}

async function migratedTemplate(client: pg.Client, server: string): Promise<string> {
  const name = `template_${await hashOfContent(migrations)}`;
  const { rows } = await client.query('SELECT datname, datistemplate FROM pg_database WHERE datname ~ $1', [
    '^template_',
  ]);
  for (const { datname, datistemplate } of rows) {
    if (datname === name && datistemplate) continue;
    const unused = await client.query('SELECT pg_try_advisory_lock(hashtext($1)) AS it', [datname]);
    if (!unused.rows[0].it) continue;
    await client.query(`ALTER DATABASE ${datname} IS_TEMPLATE false`);
    await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
    await client.query('SELECT pg_advisory_unlock(hashtext($1))', [datname]);
  }
  if (rows.some(({ datname, datistemplate }) => datname === name && datistemplate)) return name;
  await client.query(`CREATE DATABASE ${name}`);
  await migrateInto(databaseUrl(server, name));
  // Only a finished one is a template. It takes no connections, because copying needs it unused.
  await client.query(`ALTER DATABASE ${name} IS_TEMPLATE true ALLOW_CONNECTIONS false`);
  return name;
}

async function migrateInto(url: string): Promise<void> {
  const quiet = { debug() {}, info() {}, warn: console.warn, error: console.error };
  const connection = { connectionString: url };
  await migrate({ connection, folder: migrations, log: quiet, directUrlConfigured: false });
  await addUser(url);
  await query(url, 'ANALYZE');
}

async function dropLeftovers(client: pg.Client): Promise<void> {
  const { rows } = await client.query(`SELECT datname FROM pg_database WHERE datname ~ '^test_[0-9]+_'`);
  for (const { datname } of rows) {
    if (!isAlive(Number(datname.split('_')[1])))
      await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function hashOfContent(folder: string): Promise<string> {
  const hash = createHash('sha256').update(user.rows.join());
  for (const file of (await readdir(folder, { recursive: true })).sort()) {
    if (/\.(sql|json)$/.test(file)) hash.update(file).update(await readFile(join(folder, file)));
  }
  return hash.digest('hex').slice(0, 12);
}
