import { readFileSync } from 'node:fs';

/** Files a process has open besides connections: some 30 by itself, and some for a while. */
const OWN_FILES = 64;
const MIN_CONNECTIONS = 16;

/** @returns How many files and connections this process may have open; null where the system does not say. */
export function openFilesLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/**
 * @param wanted `HTTP_MAX_CONNECTIONS`.
 * @param poolSize Connections to the database.
 * @param warn Called when fewer fit than are wanted.
 * @returns How many connections may be open at once, so that database and files have room beside them.
 */
export function connectionsThatFit(
  wanted: number,
  poolSize: number,
  warn: (text: string) => void,
  limit: number | null = openFilesLimit(),
): number {
  if (limit === null) return wanted;
  const fitting = Math.max(MIN_CONNECTIONS, limit - poolSize - OWN_FILES);
  if (fitting >= wanted) return wanted;
  warn(
    `HTTP_MAX_CONNECTIONS is ${wanted}, and this process may open ${limit} files: it accepts ${fitting} connections at once. ` +
      'Raise the limit (ulimit -n, LimitNOFILE of systemd, --ulimit nofile of Docker), or lower HTTP_MAX_CONNECTIONS.',
  );
  return fitting;
}
