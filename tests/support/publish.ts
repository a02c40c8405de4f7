import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generateMigration } from 'drizzle-kit/api';
import { query } from './postgres.ts';
import { ROOT } from './server.ts';

type Snapshot = Parameters<typeof generateMigration>[0];

/**
 * Does to production's tables what a hosting platform does that compares two databases by drizzle-kit: everything that
 * it sees in development, without rows and without the journal of migrations.
 *
 * @returns The statements that it ran.
 */
export async function publish(development: string, production: string): Promise<string[]> {
  const [after, before] = await Promise.all([look(development), look(production)]);
  const statements = await generateMigration(before, after);
  for (const statement of statements) await query(production, statement);
  return statements;
}

/** What drizzle-kit sees in a database. */
async function look(url: string): Promise<Snapshot> {
  const folder = await mkdtemp(join(tmpdir(), 'publish-'));
  try {
    const config = join(folder, 'config.json');
    await writeFile(config, JSON.stringify({ dialect: 'postgresql', out: folder, dbCredentials: { url } }));
    await promisify(execFile)(process.execPath, [
      join(ROOT, 'node_modules/drizzle-kit/bin.cjs'),
      'pull',
      `--config=${config}`,
    ]);
    return JSON.parse(await readFile(join(folder, 'meta', '0000_snapshot.json'), 'utf8'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
