/** compose.yaml: what it names is there, its secrets are for those alone who need them, and its roles do what they are for. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { SETTINGS, type Setting } from '../../server/config-settings.ts';
import { query } from '../support/postgres.ts';
import { ROOT } from '../support/server.ts';
import { compose, runService, type Service } from './compose.ts';
import { Engine } from './engine.ts';
import { makeSecrets, readSecrets } from './global-setup.ts';

const packaging = inject('packaging');
const { image, databaseUrl, secrets, passwords } = packaging;
let engine: Engine;
beforeAll(async () => {
  engine = await Engine.find();
  await engine.prepareToRun(image);
});

/** As the server does it: rows, and nothing but rows. */
function asApp(statement: string) {
  const url = new URL(databaseUrl);
  [url.username, url.password] = ['app', passwords.app];
  return query(url.href, statement);
}

const ours = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);

describe('compose.yaml', () => {
  it('mounts files that are there, and volumes that it declares', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
    expect(mounted.length).toBeGreaterThan(5);
    for (const [from = ''] of mounted.map((volume) => volume.split(':'))) {
      if (from.startsWith('.')) expect(existsSync(join(ROOT, from)), from).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(from);
    }
  });

  it('gives our services settings that there are, and secrets as files only', () => {
    expect(ours.map(([name]) => name)).toEqual(['app', 'migrate', 'replica-1', 'replica-2']);
    for (const [name, value] of ours.flatMap(([, { environment = {} }]) => Object.entries(environment))) {
      const setting: Setting | undefined = (SETTINGS as Record<string, Setting>)[name.replace(/_FILE$/, '')];
      expect(setting, name).toBeDefined();
      if (name.endsWith('_FILE')) expect(String(value)).toMatch(/^\/secrets\/(app|admin)\/\w+$/);
      // Addresses may stand there, without a password.
      else expect(setting?.secret === 'value' || /:\/\/\w+:\w+@/.test(String(value)), name).toBe(false);
    }
  });

  it('leaves our services the time to end that they take', () => {
    const seconds = ({ stop_grace_period = '10s' }: Service) => Number.parseInt(stop_grace_period, 10);
    for (const [name, ours] of Object.entries(compose.services)) {
      if (!ours.build || name === 'migrate') continue;
      const { SHUTDOWN_TIMEOUT_MS = 8_000, DRAIN_DELAY_MS = 0 } = ours.environment ?? {};
      expect(seconds(ours) * 1000).toBeGreaterThan(Number(SHUTDOWN_TIMEOUT_MS));
      expect(Number(SHUTDOWN_TIMEOUT_MS)).toBeGreaterThan(Number(DRAIN_DELAY_MS));
    }
  });

  it('hardens every service of ours alike', () => {
    for (const [, service] of ours) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        mem_limit: '256m',
        cpus: 1,
      });
    }
  });
});

describe('its secrets', () => {
  it('are long, different, and readable by those alone who need them', async () => {
    const expected: Record<string, string> = {
      'admin/postgres_password': '999:999 400',
      'admin/app_owner_password': '999:1000 440',
      'app/app_password': '999:1000 440',
      'app/internal_api_key': '1000:1000 400',
      'app/session_secret': '1000:1000 400',
      'app/redis.conf': '999:999 400',
      'app/redis_url': '1000:1000 400',
    };
    const contents = await readSecrets(engine, image, secrets);
    expect(Object.keys(contents).sort()).toEqual(Object.keys(expected).sort());
    for (const [path, access] of Object.entries(expected)) {
      const { uid, gid, mode } = await stat(join(secrets, path));
      expect(`${uid}:${gid} ${(mode & 0o777).toString(8)}`, path).toBe(access);
      if (!path.includes('redis')) expect(contents[path]).toMatch(/^[\w-]{43}$/);
    }
    expect(new Set(Object.values(contents)).size).toBe(Object.keys(expected).length);
    const password = /^requirepass (\S+)$/m.exec(contents['app/redis.conf'] ?? '')?.[1];
    expect(contents['app/redis_url']).toBe(`redis://:${password}@redis:6379`);
  });

  it('stay what they are at the next start', async () => {
    const before = await readSecrets(engine, image, secrets);
    expect(await makeSecrets(engine, image, secrets)).not.toContain('made');
    expect(await readSecrets(engine, image, secrets)).toEqual(before);
  });
});

describe('its roles', () => {
  it('have applied migrations as the owner of the tables, who owns them now', async () => {
    const { rows } = await query(
      databaseUrl,
      `select distinct tableowner from pg_tables where schemaname in ('public', 'drizzle')`,
    );
    expect(rows).toEqual([{ tableowner: 'app_owner' }]);
    const again = await runService(engine, packaging, 'migrate');
    expect(again.stdout).toMatch(/^0 applied, [1-9]\d* were in place\.$/m);
    expect(again.code).toBe(0);
  });

  it('show the server that nothing is pending', async () => {
    const status = await runService(engine, packaging, 'app', ['migrate', '--status']);
    expect(status.stdout).toMatch(/^applied {2}0000_/m);
    expect(status.stdout).not.toContain('pending');
  });

  it('leave the server rows, and nothing but rows', async () => {
    const { rows } = await query(
      databaseUrl,
      `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
    );
    expect(rows.length).toBeGreaterThan(0);
    const refused = [
      'create table mine ()',
      'create temporary table mine ()',
      'create schema mine',
      'drop schema drizzle cascade',
      'delete from drizzle.__drizzle_migrations',
    ];
    for (const { name } of rows) {
      await asApp(`select 1 from ${name}`);
      await asApp(`delete from ${name} where false`);
      refused.push(`alter table ${name} add column mine int`, `drop table ${name}`, `truncate ${name}`);
    }
    for (const statement of refused) {
      await expect(asApp(statement), statement).rejects.toThrow(/permission denied|must be owner/);
    }
  });
});
