import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { development, file, folder, production, refused, STRONG } from '../../../tests/support/config.ts';
import { estimateBits, isPlaceholder, MAKE_SECRET } from './secrets.ts';

describe('secrets', () => {
  const keys = {
    SESSION_SECRET: 'sessionSecrets',
    INTERNAL_API_KEY: 'internalApiKeys',
    ENCRYPTION_KEY: 'encryptionKeys',
  } as const;
  const hexadecimal = '9f3c1e7a5b2d8046c4f1a97e3d5b60828e1c4f7a9b3d5e60712c8f4a6d9b3e15';

  test.each([
    ['SESSION_SECRET', STRONG],
    ['SESSION_SECRET', hexadecimal.slice(0, 32)],
    ['SESSION_SECRET', 'k7test92m4p1x8q3z6v5w0r2n9j4h7b1'],
    ['SESSION_SECRET', 'correct horse battery staple over the hills'],
    ['SESSION_SECRET', `${STRONG}, ${hexadecimal}`],
    ['INTERNAL_API_KEY', STRONG],
    ['INTERNAL_API_KEY', hexadecimal],
    ['INTERNAL_API_KEY', `${hexadecimal},${STRONG}`],
    ['ENCRYPTION_KEY', `${hexadecimal},${STRONG}`],
  ] as const)('%s=%s is strong', (name, value) => {
    expect(production({ [name]: value }).config[keys[name]]).toEqual(value.split(/, ?/));
  });

  test.each([
    ['SESSION_SECRET', 'changeme', /is a placeholder/],
    ['SESSION_SECRET', 'secret', /is a placeholder/],
    ['SESSION_SECRET', 'your-secret-key-here', /is a placeholder/],
    ['SESSION_SECRET', '<your session secret>', /is a placeholder/],
    ['SESSION_SECRET', 'replace-this-with-a-long-random-string-please', /is a placeholder/],
    ['SESSION_SECRET', 'super-secret-key-at-least-32-characters-long', /is a placeholder/],
    ['SESSION_SECRET', 'example-password-example-password-123', /is a placeholder/],
    ['SESSION_SECRET', 'qwertyuiopasdfghjklzxcvbnm123456', /is a placeholder/],
    ['SESSION_SECRET', '0'.repeat(64), /too regular/],
    ['SESSION_SECRET', '0123456789abcdef0123456789abcdef', /too regular/],
    ['SESSION_SECRET', 'abcdefghijklmnopqrstuvwxyz0123456789', /too regular/],
    ['SESSION_SECRET', 'k9Xk9Xk9Xk9Xk9Xk9Xk9Xk9Xk9Xk9Xk9X', /too regular/],
    ['SESSION_SECRET', STRONG.slice(0, 31), /has 31 characters; the minimum is 32/],
    ['SESSION_SECRET', `${STRONG},short`, /holds 2 secrets; number 2 has 5 characters/],
    ['INTERNAL_API_KEY', STRONG.slice(0, 42), /has 42 characters; the minimum is 43/],
    ['INTERNAL_API_KEY', hexadecimal.slice(0, 63), /has 63 characters; the minimum is 64/],
    ['INTERNAL_API_KEY', 'f'.repeat(64), /too regular/],
    ['ENCRYPTION_KEY', `${STRONG},change-this-encryption-key`, /number 2 is a placeholder/],
  ] as const)('%s=%s is an error in production and a warning in development', (name, value, expected) => {
    const [problem] = refused(() => production({ [name]: value }));
    expect(problem).toMatch(expected);
    expect(problem).toContain(MAKE_SECRET);
    if (value.length > 8) expect(problem).not.toContain(value.slice(-8));
    const { config, warnings } = development({ [name]: value });
    expect(warnings).toEqual([expect.stringMatching(expected)]);
    expect(config[keys[name]]).toEqual(value.split(','));
  });

  test('no random value is taken for a weak one', () => {
    const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3000; i++) {
      const lower = Array.from(randomBytes(32), (byte) => alphabet[byte % 36]).join('');
      const [hex16, hex32, base64] = [16, 32, 32].map((size, at) =>
        randomBytes(size).toString(at < 2 ? 'hex' : 'base64url'),
      ) as [string, string, string];
      for (const value of [lower, hex16, hex32, base64]) expect(isPlaceholder(value), value).toBe(false);
      expect(Math.min(estimateBits(hex32), estimateBits(base64))).toBeGreaterThan(128);
      least = Math.min(least, estimateBits(hex16), estimateBits(lower));
    }
    expect(least).toBeGreaterThan(64);
  });

  test('the command that is recommended makes a good value', () => {
    const [, script = ''] = /^node -e "(.*)"$/.exec(MAKE_SECRET) ?? [];
    const value = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim();
    expect(production({ SESSION_SECRET: value, INTERNAL_API_KEY: value }).warnings).toEqual([]);
  });

  test('development makes them once, for its owner only, and keeps what was there', () => {
    const first = development();
    const path = join(folder, '.data/secrets.json');
    expect(first.config.sessionSecrets).not.toEqual(first.config.internalApiKeys);
    expect(development().config.sessionSecrets).toEqual(first.config.sessionSecrets);
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(first.settings.find(({ name }) => name === 'SESSION_SECRET')).toMatchObject({
      name: 'SESSION_SECRET',
      value: '(secret)',
      origin: 'generated',
    });
    const { SESSION_SECRET, INTERNAL_API_KEY } = JSON.parse(readFileSync(path, 'utf8'));
    expect([[SESSION_SECRET], [INTERNAL_API_KEY]]).toEqual([
      first.config.sessionSecrets,
      first.config.internalApiKeys,
    ]);

    writeFileSync(path, JSON.stringify({ SESSION_SECRET }));
    const second = development();
    expect(second.config.sessionSecrets).toEqual(first.config.sessionSecrets);
    expect(second.config.internalApiKeys).not.toEqual(first.config.internalApiKeys);
    expect(development().config.internalApiKeys).toEqual(second.config.internalApiKeys);
  });

  test('a damaged file is replaced, and one that cannot be written causes a warning', () => {
    mkdirSync(join(folder, '.data'));
    file('.data/secrets.json', '{"SESSION_SEC');
    expect(development().config.sessionSecrets).toEqual(development().config.sessionSecrets);
    rmSync(join(folder, '.data'), { recursive: true });
    file('.data', 'not a folder');
    const { config, warnings } = development();
    expect(config.sessionSecrets[0]).toHaveLength(43);
    expect(warnings).toEqual([expect.stringContaining('will be new at every start')]);
  });

  test('one of spaces counts as unset', () => {
    expect(development({ SESSION_SECRET: '  ' }).config.sessionSecrets[0]).toHaveLength(43);
  });

  test('production makes none', () => {
    expect(production().config).toMatchObject({ sessionSecrets: [], internalApiKeys: [] });
    expect(() => statSync(join(folder, '.data'))).toThrow('ENOENT');
  });

  test('several processes that start at once use the same secrets', async () => {
    const [starters, rounds] = [2, 25];
    // Each waits until all have come to the round, and then makes its secrets as fast as it can.
    const starter = `
      const { workerData: { secretsModule, folder, rounds, starters, arrived }, parentPort } = require('node:worker_threads');
      import(secretsModule).then(({ developmentSecrets }) => {
        const count = new Int32Array(arrived);
        const made = Array.from({ length: rounds }, (_, round) => {
          Atomics.add(count, 0, 1);
          while (Atomics.load(count, 0) < starters * (round + 1));
          return developmentSecrets(folder + '/' + round + '.json', ['A', 'B']).secrets;
        });
        parentPort.postMessage(made);
      });`;
    const workerData = {
      secretsModule: new URL('./secrets.ts', import.meta.url).href,
      folder,
      rounds,
      starters,
      arrived: new SharedArrayBuffer(4),
    };
    const made = await Promise.all(
      Array.from({ length: starters }, async () => {
        const [message] = await once(new Worker(starter, { eval: true, workerData }), 'message');
        return JSON.stringify(message);
      }),
    );
    expect(JSON.parse(made[0] ?? '')).toHaveLength(rounds);
    expect(new Set(made).size).toBe(1);
    expect(readdirSync(folder)).toHaveLength(rounds);
  });
});
