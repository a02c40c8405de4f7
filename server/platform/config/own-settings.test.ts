import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, expectTypeOf, test } from 'vitest';
import { type Config, loadConfig, type OwnSettings } from './config.ts';
import { secrets } from './secrets.ts';
import { inGroup, setting } from './setting.ts';
import { bytes, choice, integer, MIB } from './values.ts';

const folder = mkdtempSync(join(tmpdir(), 'own-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As an application declares its own, in `server/settings.ts`. */
const own = {
  maxPictureBytes: setting('MAX_PICTURE_BYTES', bytes(1024, 100 * MIB), {
    default: 5 * MIB,
    doc: 'The largest picture that is accepted.',
  }),
  payments: {
    webhookSecrets: setting('WEBHOOK_SECRET', secrets(), { default: [], doc: 'What it signs with.' }),
    provider: setting('STRIPE_MODE', choice('test', 'live'), { doc: 'Which of its worlds.' }),
  },
  ...inGroup('Mail', { mailFrom: setting('MAIL_FROM', integer(1, 9), { doc: 'A number, for once.' }) }),
} satisfies OwnSettings;

const STRONG = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
const load = (env: Record<string, string> = {}) =>
  loadConfig(own, { DATABASE_URL: 'postgres://app:pw@127.0.0.1/app', ...env }, folder, false);

test('are part of the configuration, typed by their parsers', () => {
  const { config } = load({ MAX_PICTURE_BYTES: '2048', STRIPE_MODE: 'live' });
  expect(config).toMatchObject({
    maxPictureBytes: 2048,
    payments: { webhookSecrets: [], provider: 'live' },
    mailFrom: undefined,
    http: { bodyLimitBytes: 131_072 },
  });
  expectTypeOf(config.maxPictureBytes).toEqualTypeOf<number>();
  expectTypeOf(config.payments).toEqualTypeOf<{
    webhookSecrets: string[];
    provider: 'test' | 'live' | undefined;
  }>();
  expectTypeOf(config.http.bodyLimitBytes).toEqualTypeOf<number>();
  expectTypeOf(config).toExtend<Config>();
});

test('may not use a name of the platform, nor a default of another type', () => {
  const log = setting('MY_LOG', integer(1, 9), { doc: 'x' });
  // @ts-expect-error: config.log is the platform's.
  ({ log }) satisfies OwnSettings;
  // @ts-expect-error: a text is not a number.
  setting('MY_NUMBER', integer(1, 9), { default: '5', doc: 'x' });
});

test('are listed for operators, under their heading', () => {
  const shown = load({ WEBHOOK_SECRET: STRONG }).settings.filter(({ name }) =>
    ['MAX_PICTURE_BYTES', 'WEBHOOK_SECRET', 'MAIL_FROM'].includes(name),
  );
  expect(shown).toEqual([
    {
      name: 'MAX_PICTURE_BYTES',
      group: 'Application',
      doc: 'The largest picture that is accepted.',
      value: '5242880',
      origin: 'default',
    },
    {
      name: 'WEBHOOK_SECRET',
      group: 'Application',
      doc: 'What it signs with.',
      value: '(secret)',
      origin: 'environment',
    },
    { name: 'MAIL_FROM', group: 'Mail', doc: 'A number, for once.', value: '', origin: 'default' },
  ]);
});

test('are checked with the platform’s, all errors at once', () => {
  expect(() => load({ MAX_PICTURE_BYTES: '1mb', WEBHOOK_SECRET: 'changeme', PORT: 'x' })).toThrow(
    /3 settings are invalid[\s\S]*PORT[\s\S]*MAX_PICTURE_BYTES\n.*'1mb' is not[\s\S]*1048576[\s\S]*WEBHOOK_SECRET\n.*placeholder/,
  );
});

test('are read from files if they are secrets, and named in warnings', () => {
  writeFileSync(join(folder, 'secret'), `${STRONG}\n`);
  expect(load({ WEBHOOK_SECRET_FILE: 'secret' }).config.payments.webhookSecrets).toEqual([STRONG]);
  const { warnings } = load({ NODE_ENV: 'development', WEBHOOK_SECRET: 'short' });
  expect(warnings).toEqual([expect.stringMatching(/^WEBHOOK_SECRET has 5 characters/)]);
});

test('are known to the warnings about unknown variables', () => {
  expect(load({ MAX_PICTURE_BYTE: '1' }).warnings).toEqual([
    'MAX_PICTURE_BYTE is not read; did you mean MAX_PICTURE_BYTES?',
  ]);
  // The application has payments now, so nothing is said of what else is named like them.
  expect(load({ STRIPE_MODE: 'test', STRIPE_SECRET_KEY: 'x' }).warnings).toEqual([]);
});
