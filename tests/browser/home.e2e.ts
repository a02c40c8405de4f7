import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstSteps, LINKS, stripCommand } from '../../client/src/kit/first-steps/steps.ts';
import { readParts } from '../../scripts/strip/parts.ts';
import { ROOT } from '../support/server.ts';
import { expect, gate, look, test } from './fixtures.ts';

/** The first steps are shown in development; the built client is the same. */
const DEVELOPMENT = { NODE_ENV: 'development' };

test('in production it is a placeholder, and loads nothing that is for developers', async ({ page }) => {
  const loaded: string[] = [];
  page.on('response', (response) => loaded.push(response.url()));
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  await look(page, 'home');
  expect(loaded.filter((url) => url.includes('first-steps'))).toEqual([]);
  await expect(page.getByText('npm')).toHaveCount(0);
});

test('in development it shows how the server started, and what to do next', { tag: '@pictures' }, async ({
  page,
  backend,
}) => {
  await using server = await backend.start(DEVELOPMENT);
  await server.ready();
  const loaded: string[] = [];
  page.on('response', (response) => loaded.push(response.url()));
  await page.goto(server.url);
  const { startup, version } = await (await fetch(`${server.url}/api/status`)).json();
  const rows = page.getByRole('region', { name: 'Start-up' }).getByRole('listitem');
  await expect(rows).toHaveCount(startup.length + 1);
  await expect(rows.last()).toContainText('Ready');
  await expect(page.getByText(`Version ${version}`)).toBeVisible();
  expect(loaded.filter((url) => url.includes('first-steps'))).not.toEqual([]);

  const names = readParts(ROOT).flatMap(({ name, isTemplates }) => (isTemplates ? [name] : []));
  const parts = page.getByRole('region', { name: 'Parts' }).getByRole('heading', { level: 3 });
  await expect(parts).toHaveText(names);
  await look(page, 'home-ready');
});

test.describe('while the database is away', () => {
  test.use({ failedRequests: true });

  test('says why it is not ready, and fills in live when it becomes so', async ({ page, backend }) => {
    const way = await gate(backend.databaseUrl);
    await using server = await backend.start({ ...DEVELOPMENT, DATABASE_URL: way.url });
    await server.open();
    await page.goto(server.url);
    const board = page.getByRole('region', { name: 'Start-up' });
    await expect(board.getByText('Reaching the database')).toBeVisible();
    await look(page, 'home-waiting');

    await way.open();
    await expect(board.getByText('Database reached')).toBeVisible();
    await expect(board.getByRole('listitem').last()).toContainText(/^Ready\d/);
    way.close();
  });

  test('turns to what is wrong when something is, and back', async ({ page, backend }) => {
    const way = await gate(backend.databaseUrl);
    await way.open();
    await using server = await backend.start({ ...DEVELOPMENT, DATABASE_URL: way.url });
    await server.ready();
    await page.goto(server.url);
    const last = page.getByRole('region', { name: 'Start-up' }).getByRole('listitem').last();
    await expect(last).toContainText(/^Ready\d/);

    way.close();
    await expect(async () => expect((await fetch(`${server.url}/ready`)).status).toBe(503)).toPass();
    await expect(last).toContainText('Not ready');
    await look(page, 'home-not-ready');

    await way.open();
    await expect(async () => expect((await fetch(`${server.url}/ready`)).status).toBe(200)).toPass();
    await expect(last).toContainText(/^Ready\d/);
    way.close();
  });
});

test('every command of the first steps is one that the repository has', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const commands = firstSteps(readParts(ROOT)).flatMap(({ commands = [] }) => commands);
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) {
    const script = /\bnpm (?:run )?(?!pkg )(\S+)/.exec(command)?.[1];
    if (script) expect(Object.keys(scripts), command).toContain(script);
    if (command.startsWith('docker build')) expect(existsSync(join(ROOT, 'Dockerfile'))).toBe(true);
  }
});

test('a part is stripped together with those that need it', () => {
  const part = (name: string, ...needs: string[]) => ({ name, kind: 'module' as const, for: '', needs });
  const parts = [part('c', 'b'), part('a'), part('b', 'a'), part('d')];
  expect(parts.map(({ name }) => stripCommand(name, parts))).toEqual([
    'npm run strip c',
    'npm run strip a b c',
    'npm run strip b c',
    'npm run strip d',
  ]);
});

test('every address of the first steps answers', async ({ server }) => {
  for (const { href } of LINKS) {
    const { status } = await fetch(server.url + href, { headers: { Accept: 'text/html, */*' } });
    expect(status, href).toBe(200);
  }
});
