import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ROOT } from './server.ts';

/** Copies what is or may come under version control, as it lies in the working tree: what a clone or an import would get. */
export async function copyFiles(): Promise<string> {
  const parent = join(ROOT, '.data');
  await mkdir(parent, { recursive: true });
  const copy = await mkdtemp(join(parent, 'template-'));
  // As a clone is: temporary folders are closed to the account that PostgreSQL runs under when we are root.
  await chmod(copy, 0o755);
  for (const file of (await run(ROOT, 'git ls-files -z --cached --others --exclude-standard')).split('\0')) {
    if (file === '') continue;
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await copyFile(join(ROOT, file), join(copy, file)).catch((error) => {
      // It was deleted, or another test has removed it since it was listed.
      if (error.code !== 'ENOENT') throw error;
    });
  }
  return copy;
}

/** The environment of a person at a terminal: nothing of this test run, and no database but the launcher's. */
export function environment(): NodeJS.ProcessEnv {
  const foreign =
    /^(VITEST|NODE_ENV$|NODE_OPTIONS$|NODE_V8|DEV$|PROD$|TEST$|MODE$|SSR$|npm_|PG|DATABASE_|PORT$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** @returns What the command wrote. @throws Error with all of it when the command fails. */
export async function run(folder: string, command: string): Promise<string> {
  const child = spawn(command, {
    cwd: folder,
    env: environment(),
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`\`${command}\` ended with code ${code}:\n${output}`);
  return output;
}
