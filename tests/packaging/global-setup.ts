import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../server/database/embedded.ts';
import { databaseUrl, query } from '../support/postgres.ts';
import { ROOT } from '../support/server.ts';
import { runService, service } from './compose.ts';
import { Engine, isInstalled, must } from './engine.ts';
import { buildImage, provideBase } from './image.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    packaging: Packaging;
  }
}

export interface Packaging {
  image: string;
  base: string;
  /** The database that deploy/postgres has prepared, as the superuser of its cluster. */
  databaseUrl: string;
  /** The volumes of compose.yaml, as folders: `admin` and `app`. */
  secrets: string;
}

const IMAGE = 'localhost/packaging-test:latest';
const DATABASE = 'app';
const ADMINISTRATOR = 'packaging_administrator';

/** Once for all files: the image, and a database with secrets, roles and tables, made as compose.yaml has them made. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  if (!(await isInstalled('psql'))) {
    throw new Error('deploy/postgres needs psql: apt-get install postgresql-client');
  }
  const engine = await Engine.find();
  const starting = startDatabase();
  const { base, how } = await provideBase(engine);
  const began = performance.now();
  await buildImage(engine, IMAGE, base);
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`  engine: ${engine.name}\n  base: ${how}\n  built in ${seconds} s`);
  await engine.prepareToRun(IMAGE);

  const folder = await mkdtemp(join(tmpdir(), 'secrets-'));
  const postgres = await starting;
  const url = databaseUrl(postgres.url, DATABASE);
  await makeSecrets(engine, IMAGE, folder);
  await makeRoles(url, folder);
  const packaging = { image: IMAGE, base, databaseUrl: url, secrets: folder };
  const { code, stdout, stderr } = await runService(engine, packaging, 'migrate');
  if (code !== 0 || !/^[1-9]\d* applied, 0 were in place\.$/m.test(stdout)) {
    throw new Error(`The service migrate ended with ${code}:\n${stdout}${stderr}`);
  }
  provide('packaging', packaging);
  return async () => {
    await postgres.release();
    await engine.try(['image', 'rm', '--force', IMAGE]);
    await rm(folder, { recursive: true, force: true });
  };
}

/** A PostgreSQL of its own, because roles belong to a whole cluster. */
async function startDatabase(): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({
    dataDir: join(ROOT, '.data', 'packaging-postgres'),
    database: 'postgres',
    log: () => {},
    durable: false,
  });
  await query(postgres.url, `drop database if exists ${DATABASE} with (force)`);
  await query(postgres.url, `drop role if exists app, app_owner, ${ADMINISTRATOR}`);
  await query(postgres.url, `create role ${ADMINISTRATOR} login createrole password 'administrator'`);
  await query(postgres.url, `create database ${DATABASE} owner ${ADMINISTRATOR}`);
  return postgres;
}

/** What the service `secrets` does, in the image that is being tested: all that it takes is a shell. */
export async function makeSecrets(engine: Engine, image: string, folder: string): Promise<string> {
  const volumes = ['admin', 'app'].map((name) => [join(folder, name), `/secrets/${name}`] as const);
  for (const [from] of volumes) await mkdir(from, { recursive: true });
  const script = join(ROOT, 'deploy/compose/make-secrets.sh');
  const mounts = [...volumes.map(([from, to]) => `${from}:${to}`), `${script}:/make-secrets.sh:ro`];
  const flags = mounts.flatMap((mount) => ['--volume', mount]);
  const [entrypoint = '', ...command] = service('secrets').entrypoint ?? [];
  const { code, stdout, stderr } = await engine.runOnce(
    image,
    ['--user', '0', ...flags, '--entrypoint', entrypoint],
    command,
  );
  if (code !== 0) throw new Error(`make-secrets.sh ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** As an administrator who is no superuser, which is what managed databases give; the passwords by the script itself. */
async function makeRoles(url: string, secrets: string): Promise<void> {
  const init = join(ROOT, 'deploy/postgres/init');
  const administrator = new URL(url);
  [administrator.username, administrator.password] = [ADMINISTRATOR, 'administrator'];
  await query(administrator.href, await readFile(join(init, '10-roles.sql'), 'utf8'));
  const { hostname, port, password } = new URL(url);
  const { APP_OWNER_PASSWORD_FILE, APP_PASSWORD_FILE } = service('database').environment ?? {};
  const here = (path: string | number | undefined) => String(path).replace('/secrets', secrets);
  await must([join(init, '20-passwords.sh')], {
    env: {
      APP_OWNER_PASSWORD_FILE: here(APP_OWNER_PASSWORD_FILE),
      APP_PASSWORD_FILE: here(APP_PASSWORD_FILE),
      POSTGRES_USER: 'postgres',
      POSTGRES_DB: DATABASE,
      PGHOST: hostname,
      PGPORT: port,
      PGPASSWORD: password,
    },
  });
}
