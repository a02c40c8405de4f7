import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The new contents of files by path from the project's root; undefined for files and folders to delete. */
export type Changes = Map<string, string | undefined>;

/** Plans an edit of an existing file, after the edits that are planned already. */
export function planEdit(
  root: string,
  changes: Changes,
  file: string,
  change: (text: string) => string,
): void {
  const path = join(root, file);
  const text = changes.get(file) ?? (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  if (text !== undefined) changes.set(file, change(text));
}

/** Writes the changes. Deletions come last, because a deleted folder may contain edited files. */
export function writeChanges(root: string, changes: Changes): void {
  for (const [file, text] of changes) {
    if (text === undefined) continue;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  for (const [file, text] of changes)
    if (text === undefined) rmSync(join(root, file), { recursive: true, force: true });
}
