import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, type SpawnedServer, startServer } from './server.ts';
import { copyFiles } from './working-copy.ts';

/**
 * A copy of this working tree that shares its packages and has a cache of Vite's of its own, for tests of the
 * development server: they change sources, and two servers over one cache would replace each other's files.
 */
export async function copyForDevelopment(): Promise<string> {
  const copy = await copyFiles();
  const packages = join(copy, 'node_modules');
  await mkdir(packages);
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.'))
      await symlink(join(ROOT, 'node_modules', name), join(packages, name), 'junction');
  }
  return copy;
}

export const removeCopy = (copy: string) => rm(copy, { recursive: true, force: true, maxRetries: 20 });

/** The server from a copy's sources, as `npm run dev` starts it. */
export function startDevelopment(
  copy: string,
  databaseUrl: string,
  env: Record<string, string> = {},
): Promise<SpawnedServer> {
  return startServer(
    { NODE_ENV: 'development', DATABASE_URL: databaseUrl, ...env },
    { main: join(copy, 'server/main.ts'), args: ['dev'], cwd: copy },
  );
}
