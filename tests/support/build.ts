import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from './server.ts';

export interface CopiedBuild extends AsyncDisposable {
  folder: string;
  main: string;
  /** Adds a migration after those there are. */
  addMigration(name: string, sql: string): Promise<void>;
}

/** A temporary file of the compile cache. A server of another test renames it once it is complete. */
const UNFINISHED = /\.compile-cache\/.*\.\w{6}$/;

/** Copies a folder that may hold `dist`, which servers write into. */
export const copyFolder = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, filter: (path) => !UNFINISHED.test(path) });

/** Copies `dist`, so that a test may have migrations of its own. */
export async function copyBuild(migrations: Record<string, string> = {}): Promise<CopiedBuild> {
  const folder = await mkdtemp(join(tmpdir(), 'build-'));
  await copyFolder(join(ROOT, 'dist'), folder);
  const journalFile = join(folder, 'drizzle', 'meta', '_journal.json');
  const build: CopiedBuild = {
    folder,
    main: join(folder, 'server', 'main.js'),
    async addMigration(name, sql) {
      // A project without tables has no journal yet.
      await mkdir(dirname(journalFile), { recursive: true });
      const text = await readFile(journalFile, 'utf8').catch(() => '');
      const journal = text ? JSON.parse(text) : { version: '7', dialect: 'postgresql', entries: [] };
      const last = journal.entries.at(-1)?.when ?? 0;
      journal.entries.push({
        idx: journal.entries.length,
        version: '7',
        when: last + 1,
        tag: name,
        breakpoints: true,
      });
      await writeFile(journalFile, JSON.stringify(journal));
      await writeFile(join(folder, 'drizzle', `${name}.sql`), sql);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, maxRetries: 3 }),
  };
  for (const [name, sql] of Object.entries(migrations)) await build.addMigration(name, sql);
  return build;
}
