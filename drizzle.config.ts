import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  // drizzle-kit refuses patterns that match no file; this one, which has no tables, serves a project without any.
  schema: ['./server/features/*/table.ts', './drizzle.config.ts'],
  out: './drizzle',
});
