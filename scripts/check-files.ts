/** What the checks of `scripts/checks/` have in common. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

export interface Source {
  /** From the project's root, with forward slashes. */
  path: string;
  code: string;
}

/** The files that git has or would add, below some folders or everywhere. */
export function sourcesThat(match: (path: string) => boolean, ...folders: string[]): Source[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...folders], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return listed
    .split('\n')
    .filter((path) => match(path) && existsSync(join(ROOT, path)))
    .map((path) => ({ path, code: readFileSync(join(ROOT, path), 'utf8') }));
}

/** Prints what a check has found. The process then ends with 1. */
export function report(problems: readonly string[]): void {
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
