/** The packages of a part: those that only its own files import. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const CODE = /\.(?:[cm]?[jt]sx?|css|json)$/;
/** The name of a package in quotes, with or without a path, or as a folder of node_modules. */
const NAME = /['"/](?:node_modules\/)?(@[\w.-]+\/[\w.-]+|[\w.-]+)(?=['"/])/g;

/**
 * @param leaving Files to delete, from the project's root.
 * @param staying All others.
 * @param brought Further packages of these files, which no file imports.
 * @returns Names of packages in package.json, including their `@types`.
 */
export function packagesThatGo(
  root: string,
  leaving: readonly string[],
  staying: readonly string[],
  brought: readonly string[] = [],
): string[] {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const known = Object.keys({ ...dependencies, ...devDependencies });
  const used = namesIn(root, leaving);
  const kept = namesIn(root, staying);
  const gone = known.filter((name) => (used.has(name) || brought.includes(name)) && !kept.has(name));
  const typed = gone.map((name) => `@types/${name.replace('@', '').replace('/', '__')}`);
  return [...gone, ...typed.filter((name) => known.includes(name) && !kept.has(name))];
}

function namesIn(root: string, files: readonly string[]): Set<string> {
  const found = new Set<string>();
  for (const file of files) {
    if (!CODE.test(file) || /(?:^|\/)package(?:-lock)?\.json$/.test(file)) continue;
    for (const [, name = ''] of readFileSync(join(root, file), 'utf8').matchAll(NAME)) found.add(name);
  }
  return found;
}
