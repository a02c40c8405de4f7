/** Every package is pinned by its hash, so that a registry cannot deliver other contents under the same version. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, report } from '../check-files.ts';

const LOCK_FILES = [
  // Of the project, and of the contenders of the benchmarks.
  'package-lock.json',
  'lab/bench/contenders/package-lock.json',
];

/** npm does not change an existing entry, and writes a missing one completely. */
const REMEDY =
  'Delete the entry from the file, then run in its folder: npm install --package-lock-only --omit-lockfile-registry-resolved';

interface Entry {
  integrity?: string;
  resolved?: string;
  /** A folder of this project. */
  link?: boolean;
  /** Part of the archive of another package, whose hash covers it. */
  inBundle?: boolean;
}

/**
 * Checks a lock file.
 *
 * @param file Its name, for the sentences.
 * @param text Its content, of `lockfileVersion` 3.
 */
export function checkLockFile(file: string, text: string): string[] {
  const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };
  return Object.entries(packages).flatMap(([path, { integrity, resolved, link, inBundle }]) => {
    if (path === '' || link || inBundle) return [];
    if (!integrity?.startsWith('sha512-')) return [`${file}: ${path} has no SHA-512 integrity. ${REMEDY}`];
    // Each clone uses its configured registry.
    return resolved ? [`${file}: ${path} names where it was downloaded from (resolved). ${REMEDY}`] : [];
  });
}

if (import.meta.main) {
  const files = LOCK_FILES.filter((file) => existsSync(join(ROOT, file)));
  report(files.flatMap((file) => checkLockFile(file, readFileSync(join(ROOT, file), 'utf8'))));
}
