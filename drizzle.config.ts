import { globSync } from 'node:fs';
import { defineConfig } from 'drizzle-kit';

const tables = globSync(['server/**/table.ts', 'drizzle/retired/*.ts']);

/** For drizzle-kit only (`npm run db:generate`, `db:studio`, `db:push`); migrations are applied by server/platform/database/migrations/migrator.ts. */
export default defineConfig({
  dialect: 'postgresql',
  // drizzle-kit refuses to run without a schema file. Where no feature has a table, this file is a schema without tables.
  schema: tables.length > 0 ? tables : 'drizzle.config.ts',
  out: 'drizzle',
  ...(process.env.DATABASE_URL && { dbCredentials: { url: process.env.DATABASE_URL } }),
});
