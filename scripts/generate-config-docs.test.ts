import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../server/platform/config/config.ts';
import { secrets } from '../server/platform/config/secrets.ts';
import { setting, settingsOf } from '../server/platform/config/setting.ts';
import { platformSettings } from '../server/platform/config/settings.ts';
import { integer } from '../server/platform/config/values.ts';
import { settings as ownSettings } from '../server/settings.ts';
import { generatedFiles, staleFiles } from './generate-config-docs.ts';

const { 'docs/configuration.md': page = '', '.env.example': example = '' } = Object.fromEntries(
  generatedFiles(),
);

test('the committed files are current', () => {
  expect(staleFiles()).toEqual([]);
});

test.each(settingsOf({ ...platformSettings, ...ownSettings }))('$env is in both, once', ({ env: name }) => {
  expect(page.match(new RegExp(`^\\| \`${name}\`.*\\|$`, 'gm'))?.length).toBeGreaterThanOrEqual(1);
  expect(example.match(new RegExp(`^# ${name}=`, 'gm'))).toHaveLength(1);
});

test('.env.example, with every setting taken in, changes no default', () => {
  const [plain, filled] = ['config-', 'config-'].map((prefix) => mkdtempSync(join(tmpdir(), prefix))) as [
    string,
    string,
  ];
  const database = { DATABASE_URL: 'postgres://app@127.0.0.1/app' };
  writeFileSync(join(filled, '.env'), example.replace(/^# (?=[A-Z_]+=)/gm, ''));
  const expected = loadConfig(ownSettings, database, plain);
  const { config, settings, warnings } = loadConfig(ownSettings, database, filled);
  rmSync(plain, { recursive: true });
  rmSync(filled, { recursive: true });
  expect(warnings).toEqual([]);
  expect(settings.filter(({ origin }) => origin === '.env').length).toBeGreaterThan(15);
  expect(config).toEqual({
    ...expected.config,
    dataDir: join(filled, '.data'),
  });
});

test('tables have as many cells in each row as in their head', () => {
  const cells = (line: string) => line.replaceAll('\\|', '').split('|').length;
  for (const rows of page.match(/(?:^\|.*\n)+/gm) ?? []) {
    const [head = '', ...others] = rows.trimEnd().split('\n');
    for (const other of others) expect(cells(other), other).toBe(cells(head));
  }
});

test("an application's own settings stand under a heading of their own", () => {
  const own = {
    ...ownSettings,
    quota: setting('APP_QUOTA', integer(1, 9), { default: 3, doc: 'How many.' }),
    keys: setting('APP_KEYS', secrets(), { default: [], doc: 'Several.' }),
  };
  const { 'docs/configuration.md': page = '', '.env.example': example = '' } = Object.fromEntries(
    generatedFiles(own),
  );
  expect(page).toContain(
    '## Application\n\n| variable | default | meaning | value |\n| --- | --- | --- | --- |\n| `APP_QUOTA` | `3` | How many. | 1 to 9 |\n| `APP_KEYS` 🔑 | unset | Several. |',
  );
  expect(example).toContain('# ── Application ──\n\n# How many.\n# APP_QUOTA=3\n\n# Several.\n# APP_KEYS=\n');
});
