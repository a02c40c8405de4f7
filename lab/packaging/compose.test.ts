/** compose.yaml: what it names is there, its secrets are for those alone who need them, and its roles do what they are for. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { settingsOf } from '../../server/platform/config/setting.ts';
import { platformSettings } from '../../server/platform/config/settings.ts';
import { settings } from '../../server/settings.ts';
import { query } from '../../tests/support/postgres.ts';
import { freePort, ROOT } from '../../tests/support/server.ts';
import { compose, hardeningOf, runService, type Service, service } from './compose.ts';
import { Engine, isInstalled } from './engine.ts';
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
    expect(ours.map(([name]) => name)).toEqual(
      expect.arrayContaining(['app', 'migrate', 'replica-1', 'replica-2']),
    );
    const declared = settingsOf({ ...platformSettings, ...settings });
    for (const [name, value] of ours.flatMap(([, { environment = {} }]) => Object.entries(environment))) {
      const setting = declared.find(({ env }) => env === name.replace(/_FILE$/, ''));
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

describe('its servers', () => {
  const SERVERS = ['app', 'replica-1', 'replica-2'];
  const readScrapes = async () =>
    parse(await readFile(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8'));

  it('go by the name that Prometheus looks up, and open the port that it scrapes to their network alone', async () => {
    const [{ names, port }] = (await readScrapes()).scrape_configs[0].dns_sd_configs;
    for (const name of SERVERS) {
      const { networks, environment, ports = [] } = service(name);
      expect(networks?.default?.aliases).toEqual(names);
      expect(environment?.METRICS_PORT).toBe(port);
      expect(ports.join()).not.toContain(String(port));
    }
  });

  it('are scraped by Prometheus itself, over a network of their own', async () => {
    if (!(await isInstalled('prometheus')))
      throw new Error('This test runs prometheus: apt-get install prometheus');
    // Without a database: figures are there before it is.
    const { environment = {} } = service('app');
    const settings = {
      METRICS_PORT: environment.METRICS_PORT,
      DATABASE_URL: 'postgres://app:none@127.0.0.1:1/app',
      KEEP_ALIVE_TIMEOUT_MS: 65_000,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    await using server = await engine.start(image, [...hardeningOf(service('app')), ...flags], 'bridge');
    const address = await server.state('range .NetworkSettings.Networks}}{{.IPAddress}}{{end');

    // The file as it is, but for name service, which the engine may not have, and for what it does not need here.
    const config = await readScrapes();
    const [job] = config.scrape_configs;
    job.static_configs = [{ targets: [`${address}:${job.dns_sd_configs[0].port}`] }];
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const file = join(folder, 'prometheus.yml');
    await writeFile(
      file,
      stringify({
        global: { ...config.global, scrape_interval: '1s', scrape_timeout: '1s' },
        scrape_configs: [{ ...job, dns_sd_configs: [] }],
      }),
    );
    const at = `127.0.0.1:${await freePort()}`;
    const prometheus = spawn(
      'prometheus',
      [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${at}`],
      { stdio: 'ignore' },
    );
    try {
      await expect
        .poll(
          async () => {
            const answer = await fetch(`http://${at}/api/v1/targets`).catch(() => undefined);
            const found = (await answer?.json()) as { data: { activeTargets: object[] } } | undefined;
            return found?.data.activeTargets;
          },
          { timeout: 60_000, interval: 500 },
        )
        .toEqual([expect.objectContaining({ health: 'up', lastError: '' })]);
    } finally {
      prometheus.kill('SIGKILL');
      await once(prometheus, 'exit');
      await rm(folder, { recursive: true, force: true });
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
      'app/encryption_key': '1000:1000 400',
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
