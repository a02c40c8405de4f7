import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let root: string;

const write = (file: string, text: string | object) => {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(
    join(root, file),
    typeof text === 'string' ? text : `${JSON.stringify(text, undefined, 2)}\n`,
  );
};
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
const commit = () => {
  git('add', '-A');
  git('commit', '-qm', 'x');
};
/** @param variables Such as npm sets. */
function strip(args: string[], variables: Record<string, string> = {}) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_config_'));
  const env = { ...Object.fromEntries(own), ...variables };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/strip.ts', ...args], {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}
const APP = `import { birds } from './features/birds/part.ts';
import { nests } from './features/nests/part.ts';

export function createApp(platform) {
  const flock = birds(platform);
  return {
    features: [
      flock,
      nests({ flock }),
    ],
  };
}
`;

/** Two parts of a small project, and a migration of each. The nests are handed the birds. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'strip-'));
  for (const path of ['scripts/strip.ts', 'scripts/strip'])
    cpSync(join(import.meta.dirname, '..', path), join(root, path), { recursive: true });
  write('scripts/generate-config-docs.ts', '');
  write('package.json', { name: 'small', type: 'module', scripts: { sing: 'x', test: 'y' } });
  write('README.md', '# Small\n\n## Birds\n\nThey sing.\n\n## Rest\n\nText.\n');
  write('server/app.ts', APP);
  const steps = ['birds', 'nests'] as const;
  for (const [index, name] of steps.entries()) {
    write(`server/features/${name}/part.ts`, `export const ${name} = () => ({});\n`);
    write(`server/features/${name}/table.ts`, `export const table = pgTable('${name}', {});\n`);
    write(`drizzle/000${index}_${name}_create.sql`, 'select 1;\n');
    write(`drizzle/meta/000${index}_snapshot.json`, {
      id: `id-${index}`,
      prevId: 'x',
      tables: Object.fromEntries(
        steps.slice(0, index + 1).map((table) => [`public.${table}`, { name: table }]),
      ),
    });
  }
  write('drizzle/meta/_journal.json', {
    entries: steps.map((name, idx) => ({ idx, tag: `000${idx}_${name}_create` })),
  });
  write('server/features/birds/part.json', {
    for: 'birds that sing',
    sections: { 'README.md': ['## Birds'] },
    packageJson: ['scripts.sing'],
  });
  git('init', '-q');
  commit();
});
afterEach(() => rmSync(root, { recursive: true }));

const untouched = () => expect(git('status', '--porcelain')).toBe('');

describe('strip', () => {
  it('lists parts, their tables and what they need', () => {
    const { status, stdout } = strip([]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^birds .*birds that sing$/m);
    expect(stdout).toMatch(/tables: birds\n.*needed by: nests/);
    expect(stdout).toMatch(/tables: nests\n.*needs: birds/);
  });

  it('explains its options, and changes nothing', () => {
    const { status, stdout } = strip(['nests', '--help']);
    expect(status).toBe(0);
    for (const option of ['--all', '--with-dependents', '--deployed', '--drop', '--open', '--dry-run'])
      expect(stdout).toContain(option);
    untouched();
  });

  it('refuses a part that others need, and names them', () => {
    const { status, stderr } = strip(['birds']);
    expect(status).toBe(1);
    expect(stderr).toContain('nests would not work without birds');
    expect(stderr).toContain('npm run strip -- birds --with-dependents');
    untouched();
  });

  it('refuses what is no part', () => {
    expect(strip(['fish']).stderr).toContain("There is no part 'fish'. There are: birds, nests.");
  });

  it('shows what would go, and changes nothing', () => {
    const { stdout } = strip(['nests', '--dry-run']);
    expect(stdout).toContain('server/features/nests/table.ts');
    expect(stdout).toContain('0001_nests_create');
    expect(stdout).not.toContain('0000_birds_create');
    untouched();
  });

  it('names the routes that would admit everybody, and wants to be told that they may', () => {
    write('server/features/birds/part.json', { for: 'birds that know who is asking', identity: true });
    write('server/features/nests/part.ts', 'export const nests = () => ({});\n');
    write('server/app.ts', APP.replace('{ flock }', ''));
    write(
      'tests/support/app.ts',
      `export const createTestApp = async (url, env, { compose }) => ({
        app: { declaredAccess: { userRoutes: ['GET /api/nests', 'PUT /api/nests/:id'] } },
        async [Symbol.asyncDispose]() {},
      });`,
    );
    commit();
    const { status, stderr } = strip(['birds']);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /Without birds .*everybody may call:\n {2}GET \/api\/nests\n {2}PUT \/api\/nests\/:id\n/,
    );
    expect(stderr).toContain('npm run strip -- birds --open');
    expect(strip(['birds', '--dry-run']).stdout).toContain('GET /api/nests');
    untouched();
    expect(strip(['nests'])).toMatchObject({ status: 0 });
    commit();
    // As npm passes `npm run strip birds --open`.
    expect(strip(['birds'], { npm_config_open: 'true' })).toMatchObject({ status: 0 });
  });

  it('refuses where there are changes that could not be told apart from its own', () => {
    write('new.txt', 'x');
    expect(strip(['nests']).stderr).toContain('There are uncommitted changes.');
    expect(existsSync(join(root, 'server/features/nests'))).toBe(true);
  });

  it('takes out a part: its folder, its lines, its migrations', () => {
    expect(strip(['nests'])).toMatchObject({ status: 0 });
    expect(existsSync(join(root, 'server/features/nests'))).toBe(false);
    expect(existsSync(join(root, 'drizzle/0001_nests_create.sql'))).toBe(false);
    expect(read('server/app.ts')).toBe(
      APP.split('\n')
        .filter((line) => !line.includes('nests'))
        .join('\n'),
    );
    expect(JSON.parse(read('drizzle/meta/_journal.json')).entries).toHaveLength(1);
  });

  it('takes out what depends on it too, as npm hands on flags that stand before --', () => {
    expect(strip(['birds'], { npm_config_with_dependents: 'true' })).toMatchObject({ status: 0 });
    for (const gone of ['server/features/birds', 'server/features/nests', 'drizzle'])
      expect(existsSync(join(root, gone)), gone).toBe(false);
    expect(read('server/app.ts')).not.toMatch(/birds|nests|flock/);
    expect(read('README.md')).toBe('# Small\n\n## Rest\n\nText.\n');
    expect(JSON.parse(read('package.json')).scripts).toEqual({ test: 'y' });
  });

  it('keeps the tables of what is deployed, for the release that drops them', () => {
    expect(strip([], { npm_config_deployed: 'nests' })).toMatchObject({ status: 0 });
    expect(read('drizzle/retired/nests.ts')).toContain("pgTable('nests'");
    expect(existsSync(join(root, 'drizzle/0001_nests_create.sql'))).toBe(true);
  });
});

describe('what cannot be done is refused before anything is changed', () => {
  it('a line that would leave half a statement', () => {
    write(
      'server/app.ts',
      APP.replace('      nests({ flock }),', '      platform.other, nests({ flock })].concat(['),
    );
    commit();
    const { status, stderr } = strip(['nests']);
    expect(status).toBe(1);
    expect(stderr).toBe(
      'server/app.ts:9 uses nests over several lines: put it on one line, or remove it by hand.\n',
    );
    untouched();
  });

  it('such a line of a manifest', () => {
    write('server/other.ts', 'call(\n  1, nests);\n');
    write('server/features/nests/part.json', { for: 'nests', lines: { 'server/other.ts': ['nests'] } });
    commit();
    expect(strip(['nests']).stderr).toContain('server/other.ts:2 uses nests over several lines');
    untouched();
  });

  it('a history that cannot be read', () => {
    write('drizzle/meta/0001_snapshot.json', '{');
    commit();
    const { status, stderr } = strip(['birds', '--with-dependents']);
    expect(status).toBe(1);
    expect(stderr).toContain('drizzle/meta/0001_snapshot.json');
    untouched();
  });

  it('a migration that makes a table which the part does not declare', () => {
    write('drizzle/0001_birds_archive_create.sql', 'select 1;\n');
    write('drizzle/meta/_journal.json', {
      entries: [
        { idx: 0, tag: '0000_birds_create' },
        { idx: 1, tag: '0001_birds_archive_create' },
      ],
    });
    commit();
    const { status, stderr } = strip(['birds', '--with-dependents']);
    expect(status).toBe(1);
    expect(stderr).toContain('drizzle/0001_birds_archive_create.sql makes the table nests');
    untouched();
  });
});
