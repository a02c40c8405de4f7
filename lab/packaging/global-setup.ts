import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type KeptPostgres, keepPostgres } from '../../scripts/postgres/keep.mjs';
import { databaseUrl, query } from '../../tests/support/postgres.ts';
import { ROOT } from '../../tests/support/server.ts';
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
  /** Of the roles. */
  passwords: Record<'app' | 'app_owner', string>;
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

  const folder = await mkdtemp(join(tmpdir(), 'packaging-'));
  const secrets = join(folder, 'secrets');
  const postgres = await starting;
  const url = databaseUrl(postgres.url, DATABASE);
  await makeSecrets(engine, IMAGE, secrets);
  const made = await readSecrets(engine, IMAGE, secrets);
  const passwords = {
    app: made['app/app_password'] ?? '',
    app_owner: made['admin/app_owner_password'] ?? '',
  };
  await makeRoles(url, passwords, folder);
  const packaging = { image: IMAGE, base, databaseUrl: url, secrets, passwords };
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
async function startDatabase(): Promise<KeptPostgres> {
  const postgres = await keepPostgres({
    folder: join(ROOT, '.data', 'packaging-postgres'),
    database: 'postgres',
    log: () => {},
    durable: false,
  });
  await postgres.ready;
  await query(postgres.url, `drop database if exists ${DATABASE} with (force)`);
  await query(postgres.url, `drop role if exists app, app_owner, ${ADMINISTRATOR}`);
  await query(postgres.url, `create role ${ADMINISTRATOR} login createrole password 'administrator'`);
  await query(postgres.url, `create database ${DATABASE} owner ${ADMINISTRATOR}`);
  return postgres;
}

/** What the service `secrets` does, in the image that is being tested: all that it takes is a shell. */
export async function makeSecrets(engine: Engine, image: string, folder: string): Promise<string> {
  for (const name of ['admin', 'app']) await mkdir(join(folder, name), { recursive: true });
  const script = join(ROOT, 'deploy/compose/make-secrets.sh');
  const [entrypoint = '', ...command] = service('secrets').entrypoint ?? [];
  return asRoot(engine, image, [`${folder}:/secrets`, `${script}:/make-secrets.sh:ro`], entrypoint, command);
}

/** The contents of the files, by path: the user of the test may not be able to read them. */
export async function readSecrets(
  engine: Engine,
  image: string,
  folder: string,
): Promise<Record<string, string>> {
  const list = 'cd /secrets && for file in */*; do echo "$file $(base64 -w0 "$file")"; done';
  const lines = (await asRoot(engine, image, [`${folder}:/secrets:ro`], 'sh', ['-c', list]))
    .trim()
    .split('\n');
  return Object.fromEntries(
    lines.map((line) => {
      const [path = '', content = ''] = line.split(' ');
      return [path, Buffer.from(content, 'base64').toString()];
    }),
  );
}

async function asRoot(
  engine: Engine,
  image: string,
  mounts: string[],
  entrypoint: string,
  command: string[],
): Promise<string> {
  const flags = [
    '--user',
    '0',
    ...mounts.flatMap((mount) => ['--volume', mount]),
    '--entrypoint',
    entrypoint,
  ];
  const { code, stdout, stderr } = await engine.runOnce(image, flags, command);
  if (code !== 0)
    throw new Error(`\`${[entrypoint, ...command].join(' ')}\` ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** As an administrator who is no superuser, which is what managed databases give; the passwords by the script itself. */
async function makeRoles(url: string, passwords: Packaging['passwords'], folder: string): Promise<void> {
  const init = join(ROOT, 'deploy/postgres/init');
  const administrator = new URL(url);
  [administrator.username, administrator.password] = [ADMINISTRATOR, 'administrator'];
  await query(administrator.href, await readFile(join(init, '10-roles.sql'), 'utf8'));
  const { hostname, port, password } = new URL(url);
  const files = {
    APP_OWNER_PASSWORD_FILE: join(folder, 'app_owner'),
    APP_PASSWORD_FILE: join(folder, 'app'),
  };
  await writeFile(files.APP_OWNER_PASSWORD_FILE, passwords.app_owner);
  await writeFile(files.APP_PASSWORD_FILE, passwords.app);
  await must([join(init, '20-passwords.sh')], {
    env: {
      ...files,
      POSTGRES_USER: 'postgres',
      POSTGRES_DB: DATABASE,
      PGHOST: hostname,
      PGPORT: port,
      PGPASSWORD: password,
    },
  });
}
