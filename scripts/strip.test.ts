import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../tests/support/run-command.ts';

let root: string;
const at = (path: string) => join(root, path);
const read = (path: string) => readFileSync(at(path), 'utf8');
const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' });
const strip = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  runCommand(process.execPath, [at('scripts/strip.ts'), ...args], { env: { ...process.env, ...env } });

const FILES = {
  'package.json': '{ "type": "module", "dependencies": { "feathers": "1.0.0" } }\n',
  'scripts/generate-config-docs.ts': '',
  '.template.json': '{ "template": "t", "version": "1.2.0", "stripped": {} }\n',
  'contracts/birds.ts': '',
  'docs/page.md': '# Page\n\n## Birds\n\nThey fly.\n\n## Rest\n\n- birds fly\n- all else\n',
  'server/features/birds/part.json': JSON.stringify({
    for: 'what flies',
    lines: { 'docs/page.md': ['birds fly'] },
    sections: { 'docs/page.md': ['## Birds'] },
  }),
  'server/features/birds/part.ts': 'export const birds = () => ({});\n',
  'server/features/birds/table.ts': "import { f } from 'feathers';\npgTable('birds', { f });\n",
  'client/src/features/birds/screens.ts': 'export const birds = 1;\n',
  'client/src/router.tsx':
    "import { birds } from './features/birds/screens.ts';\nexport default [\n  birds,\n];\n",
  'server/features/nests/part.ts': 'export const nests = () => ({});\n',
  'server/app.ts': `import { birds } from './features/birds/part.ts';
import { nests } from './features/nests/part.ts';

export function createApp() {
  const flock = birds();
  return [
    flock,
    nests({ flock }),
  ];
}
`,
};

/** A project of two features, one of which is handed the other. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'strip-'));
  cpSync(join(import.meta.dirname, 'strip.ts'), at('scripts/strip.ts'));
  cpSync(join(import.meta.dirname, 'strip'), at('scripts/strip'), { recursive: true });
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  }
  git('init', '-q');
  commit();
});
afterEach(() => rmSync(root, { recursive: true }));

function commit() {
  git('add', '-A');
  git('-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '-qm', 'Step');
}

describe('npm run strip', () => {
  it('lists the parts, with what they hold and need', async () => {
    const { output, code } = await strip([]);
    expect(code).toBe(0);
    expect(output).toMatch(
      /^birds +feature +4 lines {2}what flies\n +tables: birds\n +packages: feathers\n +needed by: nests\n/,
    );
    expect(output).toMatch(/^nests .*\n +needs: birds\n/m);
    expect(git('status', '--porcelain')).toBe('');
  });

  it.each([
    ['what others need', ['birds'], /nests would not work without birds.*birds --with-dependents/],
    ['a part that there is not', ['fish'], /no part 'fish'\. There are: birds, nests/],
    ['a tree with changes', ['nests'], /uncommitted changes/],
    ['to drop what was not stripped', ['birds', '--drop'], /strip a part with --deployed first/],
  ])('refuses %s, and changes nothing', async (what, args, said) => {
    if (what.includes('changes')) writeFileSync(at('new'), '');
    const before = git('status', '--porcelain');
    const { output, code } = await strip(args);
    expect(code).toBe(1);
    expect(output).toMatch(said);
    expect(git('status', '--porcelain')).toBe(before);
  });

  it('removes a part and leaves its neighbours, says what to commit, and knows it the next time', async () => {
    const { output } = await strip(['nests']);
    expect(output).toContain('git commit -m "strip: remove nests"');
    expect(read('server/app.ts')).toBe(FILES['server/app.ts'].replace(/^.*nests.*\n/gm, ''));
    expect(existsSync(at('server/features/nests'))).toBe(false);
    expect(JSON.parse(read('.template.json'))).toMatchObject({ stripped: { nests: '1.2.0' } });
    commit();
    expect(await strip(['nests'])).toMatchObject({ code: 0, output: 'nests has been stripped already.\n' });
  });

  // npm takes `--with-dependents birds` for a setting and its value.
  it('takes flags that npm has kept, with the name that it took along', async () => {
    // The package stays where something else imports it.
    writeFileSync(at('server/more.ts'), "import 'feathers';\n");
    commit();
    await strip([], { npm_config_with_dependents: 'birds' });
    expect(read('server/app.ts')).toBe('\nexport function createApp() {\n  return [\n  ];\n}\n');
    expect(read('client/src/router.tsx')).toBe('export default [\n];\n');
    expect(read('docs/page.md')).toBe('# Page\n\n## Rest\n\n- all else\n');
    for (const path of ['contracts/birds.ts', 'client/src/features/birds', 'server/features'])
      expect(existsSync(at(path)), path).toBe(path === 'server/features');
  });

  it('of all leaves features that are yours', async () => {
    writeFileSync(at('server/app.ts'), read('server/app.ts').replace('{ flock }', ''));
    commit();
    const { output } = await strip(['--all', '--dry-run']);
    expect(output).toMatch(/^Would strip birds: 5 files\./);
    expect(output).not.toContain('nests');
  });
});
