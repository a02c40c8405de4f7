import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { type KeptPostgres, keepPostgres } from '../../scripts/postgres/keep.mjs';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The test cluster, as its superuser, database `postgres`. */
    postgresUrl: string;
    /** Database that holds every migration, and no rows but those of the user of `user.ts`. */
    migratedTemplate: string;
  }
}

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Starts or joins the cluster that all test runs of this clone share. It never syncs to disk: nothing in it is kept. */
export async function startTestPostgres(): Promise<KeptPostgres> {
  const postgres = await keepPostgres({
    folder: resolve(import.meta.dirname, '../../.data/test-postgres'),
    database: 'postgres',
    log: () => {},
    durable: false,
    maxConnections: 300,
  });
  await postgres.ready;
  return postgres;
}

/** A process id is not enough: an earlier process of the same run may have had it. */
const prefix = `test_${process.pid}_${randomBytes(4).toString('hex')}`;
let created = 0;

/** @returns A name of a database that no other test has. */
export const databaseName = (): string => `${prefix}_${++created}`;

/**
 * Creates a database for one test file: with every migration applied and the user of `user.ts`, or empty.
 * What a killed run leaves is dropped by the next one.
 */
export async function createDatabase(from: 'migrated' | 'empty' = 'migrated'): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = databaseName();
  const template = from === 'migrated' ? inject('migratedTemplate') : 'template0';
  await query(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return {
    url: databaseUrl(server, name),
    drop: async () => {
      await query(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function query(url: string, sql: string, values?: unknown[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql, values);
  } finally {
    await client.end();
  }
}

export function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = name;
  return url.href;
}
