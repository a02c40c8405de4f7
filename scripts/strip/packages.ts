/** Which packages go with a part: those that its own files import, and no others name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const CODE = /\.(?:[cm]?[jt]sx?|css|json)$/;
/** A package stands in quotes, with or without a path into it, or as a folder of node_modules. */
const NAME = /['"/](?:node_modules\/)?(@[\w.-]+\/[\w.-]+|[\w.-]+)(?=['"/])/g;

/**
 * @param leaving Files that go, from the project's root.
 * @param staying All others.
 * @param brought Packages that go with them although they import them nowhere.
 * @returns Names of packages of package.json, with the types that belong to them.
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
