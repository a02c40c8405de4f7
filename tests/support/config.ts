import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { loadConfig } from '../../server/platform/config/config.ts';
import { ConfigError } from '../../server/platform/config/problems.ts';

export type Env = Record<string, string>;

export const LOCAL = 'postgres://app:pw@127.0.0.1/app';
export const STRONG = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
export const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

/** The folder that the server runs in: a new one for each test. */
export let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a file in the folder. */
export function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return name;
}

export const load = (env: Env) => loadConfig({}, env, folder, false);
export const development = (env: Env = {}) => load({ NODE_ENV: 'development', DATABASE_URL: LOCAL, ...env });
export const production = (env: Env = {}) => load({ DATABASE_URL: LOCAL, ...env });

export function errorOf(attempt: () => unknown): ConfigError {
  try {
    attempt();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error;
  }
  throw new Error('nothing was refused');
}

/** What `loadConfig` refuses, as `VARIABLE problem → remedy`. */
export const refused = (attempt: () => unknown): string[] =>
  errorOf(attempt).problems.map(({ variable, problem, remedy }) => `${variable} ${problem} → ${remedy}`);
