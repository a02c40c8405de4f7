/** The parts of this clone, as their folders and `part.json` files describe them. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { needsIn, type PartOf } from './edits.ts';

/** The files that name parts. */
export const LISTS = ['server/app.ts', 'server/settings.ts', 'client/src/router.tsx'];

/** Records the stripped parts, for a later update of the template. */
export const RECORD = '.template.json';

/** The names of parts that were stripped earlier. */
export function strippedParts(root: string): string[] {
  const record = join(root, RECORD);
  return existsSync(record) ? Object.keys(JSON.parse(readFileSync(record, 'utf8')).stripped ?? {}) : [];
}

/** `part.json`: what belongs to a part outside its folders and `contracts/<name>.ts`. */
export interface Manifest {
  /** The purpose of the part, in one sentence. */
  for: string;
  /** Parts that it needs, besides those that `server/app.ts` passes to it. */
  needs?: string[];
  /** It supplies the application's identity: without it routes for users admit everybody. */
  identity?: true;
  /** What a developer does with it first: for the home screen of development. */
  firstSteps?: { title: string; text: string; commands?: string[]; doneForOperators?: boolean }[];
  /** Further files and folders of its own, from the project's root; globs are allowed. */
  files?: string[];
  /** Packages that it needs without an import. Imported ones are found. */
  packages?: string[];
  /** By file: the lines that contain one of these texts are removed with the part. */
  lines?: Record<string, string[]>;
  /** By Markdown file: sections that are removed with the part, such as `## Jobs`. */
  sections?: Record<string, string[]>;
  /** Keys of package.json that are removed with the part, such as `scripts.bench`. */
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

/** @returns Every part by name: modules, then features, then the workshop. */
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
  const {
    files = [],
    needs = [],
    ...written
  }: Manifest = manifest
    ? JSON.parse(readFileSync(manifest, 'utf8'))
    : { for: 'a feature of this application' };
  if (existsSync(join(root, contract))) files.unshift(contract);
  const isTemplates = kind !== 'feature' || manifest !== undefined;
  return { ...written, name, kind, folders, files, needs, isTemplates };
}

/** @returns Tells which part an import in this file belongs to. */
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
      .map(({ parentPath, name }) => relative(root, join(parentPath, name)).replaceAll('\\', '/')),
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
