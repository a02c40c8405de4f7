/** The parts of this clone, as their folders and `part.json` files describe them. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { needsIn, type PartOf } from './edits.ts';

/** The files that know parts by name. */
export const LISTS = ['server/app.ts', 'server/settings.ts', 'client/src/router.tsx'];

/** What was stripped, for a later update of the template. */
export const RECORD = '.template.json';

/** `part.json`: what belongs to a part besides its folders and `contracts/<name>.ts`, as data. */
export interface Manifest {
  /** What the part is for, in one sentence. */
  for: string;
  /** Parts that it does not work without, besides those that it is handed in `server/app.ts`. */
  needs?: string[];
  /** Further files and folders of its own, from the project's root; globs are allowed. */
  files?: string[];
  /** Packages that it brings without importing them. What only its own files import is found. */
  packages?: string[];
  /** By file: texts whose lines go with the part. */
  lines?: Record<string, string[]>;
  /** By Markdown file: headings whose sections go with the part, as `## Jobs`. */
  sections?: Record<string, string[]>;
  /** Keys of package.json that go with the part, as `scripts.bench`. */
  packageJson?: string[];
}

export interface StrippablePart extends Manifest {
  name: string;
  kind: 'module' | 'feature' | 'workshop';
  /** Its folders that exist, one on each side. */
  folders: string[];
  needs: string[];
  /** Whether it came with the template: a feature of the template has a manifest. */
  isTemplates: boolean;
}

const SIDES = { module: 'modules', feature: 'features' } as const;

/** @returns Every part but the platform, in the order of their names; modules first, the workshop last. */
export function readParts(root: string): StrippablePart[] {
  const named = (kind: keyof typeof SIDES) =>
    globSync(`{server,client/src}/${SIDES[kind]}/*/part.{json,ts}`, { cwd: root }).map(
      (path) => path.split(/[\\/]/).at(-2) as string,
    );
  const parts = (['module', 'feature'] as const).flatMap((kind) =>
    [...new Set(named(kind))].sort().map((name) => readPart(root, name, kind)),
  );
  if (existsSync(join(root, 'lab/part.json'))) parts.push(readPart(root, 'lab', 'workshop'));
  for (const list of LISTS.filter((file) => existsSync(join(root, file)))) {
    const handed = needsIn(readFileSync(join(root, list), 'utf8'), partOf(list, parts));
    for (const part of parts)
      part.needs.push(...handed.filter(([name]) => name === part.name).map(([, need]) => need));
  }
  return parts;
}

function readPart(root: string, name: string, kind: StrippablePart['kind']): StrippablePart {
  const places =
    kind === 'workshop' ? [name] : ['server', 'client/src'].map((side) => `${side}/${SIDES[kind]}/${name}`);
  const folders = places.filter((folder) => existsSync(join(root, folder)));
  const contract = `contracts/${name}.ts`;
  const manifest = folders.map((folder) => join(root, folder, 'part.json')).find((path) => existsSync(path));
  const written: Manifest = manifest
    ? JSON.parse(readFileSync(manifest, 'utf8'))
    : { for: 'a feature of this application' };
  const files = [...(existsSync(join(root, contract)) ? [contract] : []), ...(written.files ?? [])];
  const needs = [...(written.needs ?? [])];
  return {
    ...written,
    name,
    kind,
    folders,
    files,
    needs,
    isTemplates: kind !== 'feature' || manifest !== undefined,
  };
}

/** @returns Into which part an import of this file leads. */
export function partOf(file: string, parts: readonly StrippablePart[]): PartOf {
  return (specifier) => {
    const path = specifier.startsWith('@/')
      ? `client/src/${specifier.slice(2)}`
      : posix.join(posix.dirname(file), specifier);
    return parts.find(({ folders }) => folders.some((folder) => path.startsWith(`${folder}/`)))?.name;
  };
}

/** @returns The parts that need one of these, directly or through others, without these themselves. */
export function dependentsOf(all: readonly StrippablePart[], names: readonly string[]): StrippablePart[] {
  const gone = new Set(names);
  for (let before = -1; before !== gone.size; ) {
    before = gone.size;
    for (const { name, needs } of all) if (needs.some((need) => gone.has(need))) gone.add(name);
  }
  return all.filter(({ name }) => gone.has(name) && !names.includes(name));
}

/** Every file of a part, from the project's root. */
export function filesOf(root: string, { folders, files = [] }: StrippablePart): string[] {
  const within = folders.flatMap((folder) =>
    globSync(`${folder}/**`, { cwd: root, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(root.length + 1)
          .replaceAll('\\', '/'),
      ),
  );
  const further = files.flatMap((pattern) => globSync(pattern, { cwd: root }));
  return [...new Set([...within, ...further])].sort();
}

/** The tables that a part's `table.ts` declares. */
export function tablesOf(root: string, part: StrippablePart): string[] {
  const file = part.folders.map((folder) => join(root, folder, 'table.ts')).find((path) => existsSync(path));
  if (file === undefined) return [];
  return [...readFileSync(file, 'utf8').matchAll(/[a-z]\.?[tT]able\(\s*['"](\w+)['"]/g)].map(
    ([, name]) => name as string,
  );
}
