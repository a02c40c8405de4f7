import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** By path from the project's root: what files will hold; undefined for files and folders that will be gone. */
export type Changes = Map<string, string | undefined>;

/** Plans an edit of a file, if it is there: on top of what is planned for it already. */
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

/** Does what was planned: deletions last, so that folders go with what was edited in them. */
export function writeChanges(root: string, changes: Changes): void {
  for (const [file, text] of changes) {
    if (text === undefined) continue;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  for (const [file, text] of changes)
    if (text === undefined) rmSync(join(root, file), { recursive: true, force: true });
}
