/**
 * `npm run strip`: lists the parts; `npm run strip NAME …` removes some: folders, contracts, lines, migrations, packages.
 *
 * It deletes folders, files and whole lines, and commits nothing: look at `git diff`, run the tests, commit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Changes, planEdit, writeChanges } from './strip/changes.ts';
import {
  HalfStatement,
  withoutCodeLines,
  withoutKeys,
  withoutLines,
  withoutParts,
  withoutSection,
} from './strip/edits.ts';
import {
  dropRetired,
  foreignTables,
  isRetired,
  migrationsOf,
  retireTables,
  takeOutMigrations,
} from './strip/migrations.ts';
import { packagesThatGo } from './strip/packages.ts';
import {
  dependentsOf,
  filesOf,
  LISTS,
  partOf,
  RECORD as RECORD_FILE,
  readParts,
  type StrippablePart,
  strippedParts,
  tablesOf,
} from './strip/parts.ts';

const root = resolve(import.meta.dirname, '..');
const RECORD = join(root, RECORD_FILE);

const OPTIONS = {
  all: { type: 'boolean' },
  'with-dependents': { type: 'boolean' },
  deployed: { type: 'boolean' },
  drop: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  open: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const HELP = `npm run strip                     lists the parts
npm run strip NAME …              removes parts: folders, contracts, lines, migrations, packages
npm run strip -- --all            removes every part that came with the template
npm run strip -- NAME … OPTION …
  --with-dependents   also removes the parts that need them
  --deployed          keeps tables and migrations, because servers of the previous release use them
  --drop              later: writes the migration that drops those tables
  --open              where accounts go: everybody may call the routes of users
  --dry-run           shows what would happen`;

type Flags = Partial<Record<keyof typeof OPTIONS, boolean>>;

class Refusal extends Error {}

/** npm passes flags before `--` as variables, together with the name that follows them. */
function keptByNpm(): { flags: Flags; names: string[] } {
  const flags: Flags = {};
  const names: string[] = [];
  for (const name of Object.keys(OPTIONS) as (keyof Flags)[]) {
    const value = process.env[`npm_config_${name.replaceAll('-', '_')}`] ?? '';
    if (value === '' || value === 'false') continue;
    flags[name] = true;
    if (value !== 'true') names.push(value);
  }
  return { flags, names };
}

function main(): void {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const npm = keptByNpm();
  const flags: Flags = { ...npm.flags, ...values };
  if (flags.help) {
    console.log(HELP);
    return;
  }
  const names = [...npm.names, ...positionals];
  const parts = readParts(root);
  if (flags.drop) {
    drop(names, flags);
    return;
  }
  if (names.length === 0 && !flags.all) {
    list(parts);
    return;
  }
  const chosen = flags.all
    ? parts.filter(({ isTemplates }) => isTemplates)
    : names.flatMap((name) => find(parts, name));
  const chosenNames = chosen.map(({ name }) => name);
  const dependents = dependentsOf(parts, chosenNames);
  if (dependents.length > 0 && !flags['with-dependents']) {
    const again = `npm run strip -- ${flags.all ? '--all' : chosenNames.join(' ')} --with-dependents`;
    throw new Refusal(
      `${named(dependents)} would not work without ${named(chosen)}. Strip them too: ${again}`,
    );
  }
  if (chosen.length > 0) strip([...chosen, ...dependents], parts, flags);
}

/** @returns The part; nothing if it was stripped already. */
function find(parts: readonly StrippablePart[], wanted: string): StrippablePart[] {
  const part = parts.find(({ name }) => name === wanted);
  if (part) return [part];
  if (strippedParts(root).includes(wanted)) {
    console.log(`${wanted} has been stripped already.`);
    return [];
  }
  throw new Refusal(`There is no part '${wanted}'. There are: ${named(parts)}.`);
}

const named = (parts: readonly StrippablePart[]) => parts.map(({ name }) => name).join(', ');

function list(parts: readonly StrippablePart[]): void {
  for (const part of parts) {
    const files = filesOf(root, part);
    const lines = files
      .filter((file) => /\.(?:[cm]?[jt]sx?|css|sql)$/.test(file))
      .reduce((sum, file) => sum + readFileSync(join(root, file), 'utf8').split('\n').length - 1, 0);
    const facts: [string, readonly string[]][] = [
      ['tables', tablesOf(root, part)],
      ['packages', packagesThatGo(root, files, filesBesides(files), part.packages)],
      ['needs', part.needs],
      ['needed by', dependentsOf(parts, [part.name]).map(({ name }) => name)],
    ];
    console.log(
      `${part.name.padEnd(14)} ${part.kind.padEnd(9)} ${String(lines).padStart(6)} lines  ${part.for}`,
    );
    for (const [label, values] of facts)
      if (values.length > 0) console.log(`${' '.repeat(39)}${label}: ${values.join(', ')}`);
  }
  console.log('\nRemove one: npm run strip NAME. All that came with the template: npm run strip -- --all');
}

function strip(parts: readonly StrippablePart[], all: readonly StrippablePart[], flags: Flags): void {
  const names = parts.map(({ name }) => name);
  const files = [...new Set(parts.flatMap((part) => filesOf(root, part)))];
  const migrations = migrationsOf(root, names);
  const changes = plan(parts, all, files, flags);
  if (flags['dry-run']) {
    console.log(`Would strip ${names.join(', ')}: ${files.length} files.\n${files.join('\n')}`);
    const what = flags.deployed ? 'Would keep the migrations' : 'Would take out the migrations';
    if (migrations.length > 0) console.log(`${what} ${migrations.join(', ')}.`);
    const opened = opensRoutes(parts);
    if (opened.length > 0) console.log(`Would let everybody call:\n${opened.join('\n')}`);
    return;
  }
  if (!flags.open) refuseToOpen(parts);
  refuseDirtyTree();
  const packages = packagesThatGo(
    root,
    files,
    filesBesides(files),
    parts.flatMap((part) => part.packages ?? []),
  );

  writeChanges(root, changes);
  if (packages.length > 0) uninstall(packages);
  // The settings of a part are removed, too.
  node('scripts/generate-config-docs.ts');
  record(names);
  report(names, migrations, flags);
}

/** Makes every edit in memory, so that a refusal leaves no file changed. */
function plan(
  parts: readonly StrippablePart[],
  all: readonly StrippablePart[],
  files: readonly string[],
  flags: Flags,
): Changes {
  const names = parts.map(({ name }) => name);
  const changes: Changes = new Map();
  const add = (more: Changes) => {
    for (const [file, text] of more) changes.set(file, text);
  };
  if (flags.deployed)
    for (const { name, folders } of parts)
      for (const folder of folders) add(retireTables(root, name, folder));
  else {
    for (const part of parts) refuseForeignTables(part);
    add(takeOutMigrations(root, names));
  }
  const edit = (file: string, change: (text: string) => string) => {
    try {
      planEdit(root, changes, file, change);
    } catch (error) {
      if (!(error instanceof HalfStatement)) throw error;
      throw new Refusal(
        `${file}:${error.line} uses ${error.part} over several lines: put it on one line, or remove it by hand.`,
      );
    }
  };
  for (const file of LISTS)
    edit(file, (code) => withoutParts(code, partOf(file, all), (name) => names.includes(name)));
  for (const { name, lines = {}, sections = {}, packageJson = [] } of parts) {
    for (const [file, texts] of Object.entries(lines)) {
      const goes = (line: string) => texts.some((one) => line.includes(one));
      const isCode = /\.[cm]?[jt]sx?$/.test(file);
      edit(file, (text) => (isCode ? withoutCodeLines(text, name, goes) : withoutLines(text, goes)));
    }
    for (const [file, headings] of Object.entries(sections))
      edit(file, (text) => headings.reduce(withoutSection, text));
    if (packageJson.length > 0) edit('package.json', (text) => withoutKeys(text, packageJson));
  }
  for (const path of [...files, ...parts.flatMap(({ folders }) => folders)]) changes.set(path, undefined);
  return changes;
}

/** @returns The routes that would admit everybody, as `GET /api/notes`. */
function opensRoutes(parts: readonly StrippablePart[]): string[] {
  if (!parts.some(({ identity }) => identity)) return [];
  const args = ['scripts/strip/open-routes.ts', ...parts.map(({ name }) => name)];
  const printed = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  return printed.split('\n').filter(Boolean);
}

function refuseToOpen(parts: readonly StrippablePart[]): void {
  const routes = opensRoutes(parts);
  if (routes.length === 0) return;
  throw new Refusal(
    `Without ${named(parts.filter(({ identity }) => identity))} nothing tells who is signed in, so that everybody may call:
  ${routes.join('\n  ')}
If that is what you want, say so: npm run strip -- ${parts.map(({ name }) => name).join(' ')} --open`,
  );
}

function refuseForeignTables(part: StrippablePart): void {
  const [[tag, table] = []] = foreignTables(root, part.name, tablesOf(root, part));
  if (tag === undefined) return;
  throw new Refusal(
    `drizzle/${tag}.sql makes the table ${table}, which no table.ts of ${part.name} declares: by its name the migration is that of ${part.name}, but it may belong to another part. Rename it, in drizzle/meta/_journal.json as well, or remove it together with its table.`,
  );
}

function refuseDirtyTree(): void {
  if (git('status', '--porcelain') !== '')
    throw new Refusal('There are uncommitted changes. Commit them first, so that git can undo this.');
}

/** Files under version control that are not in the list. */
function filesBesides(files: readonly string[]): string[] {
  const gone = new Set(files);
  return git('ls-files', '-z')
    .split('\0')
    .filter((file) => file !== '' && !gone.has(file) && existsSync(join(root, file)));
}

function uninstall(packages: readonly string[]): void {
  const npm = process.env.npm_execpath;
  const [program, ...first] = npm ? [process.execPath, npm] : ['npm'];
  execFileSync(program as string, [...first, 'uninstall', '--ignore-scripts', ...packages], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function record(names: readonly string[]): void {
  if (!existsSync(RECORD)) return;
  const known = JSON.parse(readFileSync(RECORD, 'utf8'));
  for (const name of names) known.stripped[name] = known.version;
  writeFileSync(RECORD, `${JSON.stringify(known, undefined, 2)}\n`);
}

function report(names: readonly string[], migrations: readonly string[], flags: Flags): void {
  const what = names.join(', ');
  console.log(`Stripped ${what}.\n`);
  if (migrations.length > 0 && flags.deployed) {
    console.log(
      `The tables stay. When this release runs everywhere: npm run strip -- ${names.join(' ')} --drop\n`,
    );
  } else if (migrations.length > 0) {
    const again = `git checkout . && git clean -fdq && npm run strip -- ${names.join(' ')} --deployed`;
    console.log(`The history no longer has these migrations. A database that has recorded them is refused.
- Deployed already? Undo this, and keep the tables: ${again}
- Development: stop the server, then begin a new database. This deletes every row in it: git clean -fdxq .data/postgres
`);
  }
  console.log(
    `Look at it, test it, commit it:\n  git diff && npm run check && npm test\n  git add -A && git commit -m "strip: remove ${what}"`,
  );
}

function drop(names: readonly string[], flags: Flags): void {
  if (names.length === 0) throw new Refusal('Name the part to drop: npm run strip -- NAME --drop');
  if (flags['dry-run']) {
    console.log(`Would write a migration that drops the tables of ${names.join(', ')}.`);
    return;
  }
  refuseDirtyTree();
  const files = names.flatMap((name) =>
    isRetired(root, name)
      ? dropRetired(root, name, (migration) =>
          node('node_modules/drizzle-kit/bin.cjs', 'generate', '--name', migration),
        )
      : [],
  );
  if (files.length === 0) {
    throw new Refusal(
      `drizzle/retired has nothing of ${names.join(', ')}: strip a part with --deployed first.`,
    );
  }
  console.log(
    `Read ${files.join(', ')}, then commit:\n  git add -A && git commit -m "strip: drop the tables of ${names.join(', ')}"`,
  );
}

const node = (...args: string[]) =>
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    throw new Refusal(
      'This folder is not a git repository, so nothing could be undone. Run: git init && git add -A && git commit -m Begin',
    );
  }
}

try {
  main();
} catch (error) {
  if (!(error instanceof Refusal) && !(error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS'))
    throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
