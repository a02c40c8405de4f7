/**
 * `npm run strip`: lists the parts; `npm run strip NAME …` removes some, with their dependents if told so.
 *
 * It deletes folders, files and whole lines, and touches nothing in git: look at `git diff`, run the tests, commit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { withoutImports, withoutKeys, withoutLines, withoutSection } from './strip/edits.ts';
import { dropRetired, migrationsOf, retireTables, takeOutMigrations } from './strip/migrations.ts';
import { dependentsOf, filesOf, readParts, type StrippablePart, tablesOf } from './strip/parts.ts';

const root = resolve(import.meta.dirname, '..');
/** The files that know parts by name. */
const LISTS = ['server/app.ts', 'server/settings.ts', 'client/src/router.tsx'];
const RECORD = '.template.json';

const OPTIONS = {
  all: { type: 'boolean' },
  'with-dependents': { type: 'boolean' },
  deployed: { type: 'boolean' },
  drop: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
} as const;

type Flags = { [Name in keyof typeof OPTIONS]?: boolean };

class Refusal extends Error {}

/** npm keeps flags that are not behind `--` for itself, and hands them on as variables. */
function flagsOfNpm(): Flags {
  const names = Object.keys(OPTIONS) as (keyof Flags)[];
  return Object.fromEntries(
    names
      .filter((name) => process.env[`npm_config_${name.replaceAll('-', '_')}`] === 'true')
      .map((name) => [name, true]),
  );
}

function main(): void {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const flags: Flags = { ...flagsOfNpm(), ...values };
  const parts = readParts(root);
  if (flags.drop) {
    drop(positionals, flags);
    return;
  }
  if (positionals.length === 0 && !flags.all) {
    list(parts);
    return;
  }
  const chosen = flags.all ? parts : positionals.map((name) => find(parts, name));
  const dependents = dependentsOf(
    parts,
    chosen.map(({ name }) => name),
  );
  if (dependents.length > 0 && !flags['with-dependents']) {
    throw new Refusal(
      `${named(dependents)} would not work without ${named(chosen)}. Strip them too: npm run strip ${chosen.map(({ name }) => name).join(' ')} --with-dependents`,
    );
  }
  strip([...chosen, ...dependents], flags);
}

function find(parts: readonly StrippablePart[], wanted: string): StrippablePart {
  const part = parts.find(({ name }) => name === wanted);
  if (part) return part;
  throw new Refusal(`There is no part '${wanted}'. There are: ${named(parts)}.`);
}

const named = (parts: readonly StrippablePart[]) => parts.map(({ name }) => name).join(', ');

function list(parts: readonly StrippablePart[]): void {
  for (const part of parts) {
    const lines = filesOf(root, part)
      .filter((file) => /\.(?:[cm]?[jt]sx?|css|sql)$/.test(file))
      .reduce((sum, file) => sum + readFileSync(join(root, file), 'utf8').split('\n').length, 0);
    const facts: [string, readonly string[]][] = [
      ['tables', tablesOf(root, part)],
      ['packages', part.packages ?? []],
      ['needs', part.needs ?? []],
      ['needed by', dependentsOf(parts, [part.name]).map(({ name }) => name)],
    ];
    console.log(
      `${part.name.padEnd(14)} ${part.kind.padEnd(9)} ${String(lines).padStart(6)} lines  ${part.for}`,
    );
    for (const [label, values] of facts)
      if (values.length > 0) console.log(`${' '.repeat(39)}${label}: ${values.join(', ')}`);
  }
  console.log(`\nRemove one: npm run strip NAME. All but the platform: npm run strip -- --all.`);
}

function strip(parts: readonly StrippablePart[], flags: Flags): void {
  const names = parts.map(({ name }) => name);
  const files = [...new Set(parts.flatMap((part) => filesOf(root, part)))];
  const migrations = migrationsOf(root, names);
  if (flags['dry-run']) {
    console.log(`Would strip ${names.join(', ')}: ${files.length} files.\n${files.join('\n')}`);
    const what = flags.deployed ? 'Would keep the migrations' : 'Would take out the migrations';
    if (migrations.length > 0) console.log(`${what} ${migrations.join(', ')}.`);
    return;
  }
  refuseDirtyTree();
  const packages = new Set(parts.flatMap((part) => part.packages ?? []));

  if (flags.deployed) {
    for (const { name, folders } of parts)
      for (const folder of folders.filter((one) => one.startsWith('server/')))
        retireTables(root, name, folder);
  } else takeOutMigrations(root, names);
  const folders = parts.flatMap((part) => part.folders);
  for (const file of LISTS) {
    edit(file, (code) =>
      withoutImports(code, (specifier) => {
        const path = specifier.startsWith('@/')
          ? `client/src/${specifier.slice(2)}`
          : posix.join(posix.dirname(file), specifier);
        return folders.some((folder) => path.startsWith(`${folder}/`));
      }),
    );
  }
  for (const { lines = {}, sections = {}, packageJson = [] } of parts) {
    for (const [file, texts] of Object.entries(lines))
      edit(file, (text) => withoutLines(text, (line) => texts.some((one) => line.includes(one))));
    for (const [file, headings] of Object.entries(sections))
      edit(file, (text) => headings.reduce(withoutSection, text));
    if (packageJson.length > 0) edit('package.json', (text) => withoutKeys(text, packageJson));
  }
  for (const path of [...files, ...folders]) rmSync(join(root, path), { recursive: true, force: true });
  const unused = [...packages].filter((name) => !isImported(name));
  if (unused.length > 0) {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    execFileSync(npm, ['uninstall', '--ignore-scripts', '--no-audit', '--no-fund', ...unused], {
      cwd: root,
      stdio: 'inherit',
    });
  }
  record(names);
  report(names, migrations, flags);
}

function refuseDirtyTree(): void {
  let status: string;
  try {
    status = git('status', '--porcelain');
  } catch {
    throw new Refusal(
      'This folder is not a git repository, so nothing could be undone. Run: git init && git add -A && git commit -m Begin',
    );
  }
  if (status !== '')
    throw new Refusal(
      'There are uncommitted changes. Commit them first, so that you can undo this with git.',
    );
}

/** Edits a file, if it is there. */
function edit(file: string, change: (text: string) => string): void {
  const path = join(root, file);
  if (existsSync(path)) writeFileSync(path, change(readFileSync(path, 'utf8')));
}

/** Whether a source or a configuration file still names a package. */
function isImported(name: string): boolean {
  try {
    git(
      'grep',
      '-qE',
      `['"]${name.replaceAll('.', '\\.')}(/[^'"]*)?['"]`,
      '--',
      ':!package.json',
      ':!package-lock.json',
    );
    return true;
  } catch {
    return false;
  }
}

function record(names: readonly string[]): void {
  const path = join(root, RECORD);
  if (!existsSync(path)) return;
  const known = JSON.parse(readFileSync(path, 'utf8'));
  for (const name of names) known.stripped[name] = known.version;
  writeFileSync(path, `${JSON.stringify(known, undefined, 2)}\n`);
}

function report(names: readonly string[], migrations: readonly string[], flags: Flags): void {
  const what = names.join(', ');
  console.log(`Stripped ${what}.\n`);
  if (migrations.length > 0 && flags.deployed) {
    console.log(
      `The tables stay until a later release. When this one runs everywhere: npm run strip ${names[0]} --drop\n`,
    );
  } else if (migrations.length > 0) {
    console.log(
      'The development database has recorded the old migrations. Begin a new one: git clean -fdxq .data/postgres\n',
    );
  }
  console.log(
    `Look at it, test it, commit it:\n  npm run check && npm test\n  git add -A && git commit -m "strip: remove ${what}"`,
  );
}

function drop(names: readonly string[], flags: Flags): void {
  if (names.length === 0) throw new Refusal('Name what is to be dropped: npm run strip NAME --drop');
  if (flags['dry-run']) {
    console.log(`Would write a migration that drops the tables of ${names.join(', ')}.`);
    return;
  }
  refuseDirtyTree();
  for (const name of names) {
    const file = dropRetired(root, name, (migration) => {
      execFileSync(process.execPath, ['node_modules/drizzle-kit/bin.cjs', 'generate', '--name', migration], {
        cwd: root,
        stdio: 'inherit',
      });
    });
    console.log(`Read ${file}, then commit it:\n  git add -A && git commit -m "${name}: drop its tables"`);
  }
}

const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

try {
  main();
} catch (error) {
  if (!(error instanceof Refusal) && !(error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS'))
    throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
