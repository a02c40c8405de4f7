import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { findAdoption } from '../../server/modules/adoption/adopt.ts';
import { MigrationError } from '../../server/platform/database/migrations/errors.ts';
import {
  type MigrateOptions,
  type MigrationReport,
  migrate,
} from '../../server/platform/database/migrations/migrator.ts';
import { createDatabase, query } from './postgres.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** Migrations as tests write them: their text, in order; the name and the date follow from the place. */
export type Files = Record<string, string>;

export interface Scene {
  url: string;
  lines: string[];
  /** Makes the folder hold exactly these files. */
  write(files: Files, when?: number[]): Promise<string>;
  options(more?: Partial<MigrateOptions>): MigrateOptions;
  run(more?: Partial<MigrateOptions>): Promise<MigrationReport>;
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** A proxy before the database, and a connection through it. */
  proxied(fromServer?: (chunk: Buffer) => Buffer): Promise<{ proxy: TcpProxy; connection: pg.ClientConfig }>;
}

/** Each test has an empty database and a folder of its own. */
export const it = test.extend<{ scene: Scene }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the names of what a fixture needs from its parameter.
  scene: async ({}, use) => {
    const database = await createDatabase('empty');
    const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    const proxies: TcpProxy[] = [];
    const lines: string[] = [];
    const log = (fields: object | string, message = '') => {
      lines.push(`${typeof fields === 'string' ? fields : JSON.stringify(fields)} ${message}`);
    };
    const options = (more?: Partial<MigrateOptions>): MigrateOptions => ({
      connection: { connectionString: database.url },
      folder,
      log: { debug: log, info: log, warn: log },
      directUrlConfigured: false,
      findAdoption,
      ...more,
    });
    await use({
      url: database.url,
      lines,
      options,
      run: (more) => migrate(options(more)),
      sql: async (text) => (await query(database.url, text)).rows,
      write: async (files, when) => {
        await rm(folder, { recursive: true });
        await mkdir(join(folder, 'meta'), { recursive: true });
        const names = Object.keys(files);
        const entries = names.map((tag, idx) => ({
          idx,
          version: '7',
          when: when?.[idx] ?? 1_700_000_000_000 + Number.parseInt(tag, 10) * 1_000,
          tag,
          breakpoints: true,
        }));
        const journal = { version: '7', dialect: 'postgresql', entries };
        await writeFile(join(folder, 'meta', '_journal.json'), JSON.stringify(journal));
        for (const name of names) await writeFile(join(folder, `${name}.sql`), files[name] ?? '');
        return folder;
      },
      proxied: async (fromServer) => {
        const { hostname, port, username, password, pathname } = new URL(database.url);
        const proxy = await TcpProxy.start({ host: hostname, port: Number(port) }, fromServer);
        proxies.push(proxy);
        const connection = {
          host: '127.0.0.1',
          port: proxy.port,
          user: username,
          password: decodeURIComponent(password),
          database: pathname.slice(1),
        };
        return { proxy, connection };
      },
    });
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await rm(folder, { recursive: true });
    await database.drop();
  },
});

/** The error of a migration that must not succeed. */
export const refusal = async (promise: Promise<unknown>): Promise<MigrationError> => {
  const error = await promise.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MigrationError);
  return error as MigrationError;
};
