/** Every package is pinned by its hash, so that a registry cannot hand out other bytes under the same version. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const LOCK_FILES = [
  // The project's, and that of the programs that benchmarks compare it with.
  'package-lock.json',
  'lab/bench/contenders/package-lock.json',
];

/** npm leaves an entry as it is; one that is missing it writes whole. */
const REMEDY =
  'Delete the entry from the file, then run in its folder: npm install --package-lock-only --omit-lockfile-registry-resolved';

interface Entry {
  integrity?: string;
  resolved?: string;
  /** A folder of this project. */
  link?: boolean;
  /** Comes inside the archive of the package that it belongs to, whose hash covers it. */
  inBundle?: boolean;
}

/**
 * What is wrong with a lock file, as sentences.
 *
 * @param file Its name, for the sentences.
 * @param text Its content, of `lockfileVersion` 3.
 */
export function checkLockFile(file: string, text: string): string[] {
  const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };
  return Object.entries(packages).flatMap(([path, { integrity, resolved, link, inBundle }]) => {
    if (path === '' || link || inBundle) return [];
    if (!integrity?.startsWith('sha512-')) return [`${file}: ${path} has no SHA-512 integrity. ${REMEDY}`];
    // Each clone asks the registry that it is configured for.
    return resolved ? [`${file}: ${path} names where it was downloaded from (resolved). ${REMEDY}`] : [];
  });
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '../..');
  const problems = LOCK_FILES.filter((file) => existsSync(join(root, file))).flatMap((file) =>
    checkLockFile(file, readFileSync(join(root, file), 'utf8')),
  );
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
