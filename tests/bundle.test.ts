import { existsSync } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { copyBuild } from './support/build.ts';
import { createDatabase } from './support/postgres.ts';
import { startServer } from './support/server.ts';

it('runs alone in an empty folder, with no node_modules in reach, and serves page, files and API', async () => {
  await using build = await copyBuild();
  for (let folder = build.folder; folder !== dirname(folder); folder = dirname(folder)) {
    expect(existsSync(join(folder, 'node_modules'))).toBe(false);
  }
  const database = await createDatabase('empty');
  await using server = await startServer(
    { DATABASE_URL: database.url, LOG_FILE: join(build.folder, 'server.log') },
    { main: build.main, cwd: build.folder },
  );
  await server.ready();
  const page = await (await fetch(server.url)).text();
  expect(page).toMatch(/^<!doctype html>/i);
  const files = [...page.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css|svg))"/g)].map(([, path]) => path);
  expect(files.length).toBeGreaterThan(2);
  for (const path of files) expect((await fetch(server.url + path)).status).toBe(200);
  expect(await (await fetch(`${server.url}/api/status`)).json()).toMatchObject({ state: 'ready' });
  expect(await server.end()).toBe(0);
  expect(await readFile(join(build.folder, 'server.log'), 'utf8')).toContain('draining → stopped');

  await using migrate = await startServer(
    { DATABASE_URL: database.url },
    { main: build.main, cwd: build.folder, args: ['migrate'] },
  );
  expect(await migrate.ended()).toBe(0);
  expect(migrate.output()).toMatch(/^0 applied, \d+ were in place\.$/m);
});

it('brings no schema library to the browser', async () => {
  await using build = await copyBuild();
  const assets = join(build.folder, 'client', 'assets');
  const scripts = (await readdir(assets)).filter((name) => name.endsWith('.js'));
  const code = await Promise.all(scripts.map((name) => readFile(join(assets, name), 'utf8')));
  // TypeBox's mark on everything that it makes.
  expect(scripts.filter((_, index) => code[index]?.includes('~kind'))).toEqual([]);
});

it('has stack traces that name the sources', async () => {
  const database = await createDatabase();
  await using build = await copyBuild({ '9000_wrong': 'select nonsense' });
  await using server = await startServer({ DATABASE_URL: database.url }, { main: build.main });
  expect(await server.ended()).toBe(70);
  const fatal = server.log().find(({ level }) => level === 'fatal') as { err: { stack: string } };
  expect(fatal.err.stack).toMatch(/server\/platform\/database\/migrations\/migrator\.ts:\d+:\d+/);
  expect(fatal.err.stack).not.toMatch(/dist\/server\/(?!vendor)\w+\.js/);
});

it('gives strangers no source map and no hidden file', async () => {
  const database = await createDatabase();
  await using build = await copyBuild();
  await using server = await startServer({ DATABASE_URL: database.url }, { main: build.main });
  await server.ready();
  const scripts = (await readdir(join(build.folder, 'client', 'assets'))).filter((name) =>
    name.endsWith('.js'),
  );
  for (const path of [
    `/assets/${scripts[0]}.map`,
    '/server/main.js',
    '/drizzle/meta/_journal.json',
    '/.env',
  ]) {
    expect((await fetch(server.url + path, { headers: { accept: 'text/html' } })).status).toBe(404);
  }
});

it('says what to do where its client is missing', async () => {
  await using build = await copyBuild();
  await rename(join(build.folder, 'client'), join(build.folder, 'elsewhere'));
  await using server = await startServer(
    { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d' },
    { main: build.main },
  );
  expect(await server.ended()).toBe(1);
  expect(server.output()).toContain('npm run build');
});
