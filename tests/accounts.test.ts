import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PASSWORD, SECRET } from './support/accounts.ts';
import { copyBuild } from './support/build.ts';
import { createDatabase } from './support/postgres.ts';
import { startServer } from './support/server.ts';

it('come in chunks of their own, which no start loads', async () => {
  await using build = await copyBuild();
  const read = (name: string) => readFile(join(build.folder, 'server', name), 'utf8');
  const loaded = new Set(['main.js', 'start.js', 'pipeline.js', 'app.js']);
  for (const name of loaded) {
    // At the top of a file; what is loaded later stands within a function.
    for (const [, next = ''] of (await read(name)).matchAll(/^(?:const .*= )?require\("\.\/([^"]+)"\);?$/gm))
      loaded.add(next);
  }
  expect(loaded.size).toBeGreaterThan(10);
  const later = ['auth.js', 'passkeys.js', 'providers.js'];
  expect(later.filter((name) => loaded.has(name))).toEqual([]);
  // A chunk that starts use as well has all names of those who share it.
  expect([...loaded].filter((name) => /auth|passkeys/.test(name) && !/start|app/.test(name))).toEqual([]);
  for (const name of later) expect(await read(name)).toContain('require(');
});

it('sign in from the built server, alone in an empty folder', async () => {
  const database = await createDatabase();
  await using build = await copyBuild();
  await using server = await startServer(
    { DATABASE_URL: database.url, SESSION_SECRET: SECRET, PUBLIC_URL: 'http://localhost:1', SIGN_UP: 'open' },
    { main: build.main, cwd: build.folder },
  );
  await server.ready();
  const post = async (path: string, body?: object) => {
    const answer = await fetch(`${server.url}/api/account${path}`, {
      method: 'POST',
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json(), cookies: answer.headers.getSetCookie() };
  };
  const signedUp = await post('/sign-up', { name: 'Ada', email: 'ada@example.com', password: PASSWORD });
  expect(signedUp).toMatchObject({ status: 200, body: { next: 'done' } });
  const cookie = signedUp.cookies.map((one) => one.split(';')[0]).join('; ');
  const me = await fetch(`${server.url}/api/me`, { headers: { cookie } });
  expect(await me.json()).toMatchObject({ user: { email: 'ada@example.com' } });
  expect(await post('/sign-in/passkey/begin')).toMatchObject({ status: 200, body: { rpId: 'localhost' } });
  expect(await server.end()).toBe(0);
  expect(server.output()).not.toContain('ada@example.com');
  await database.drop();
});
