import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CARDS } from '../../client/src/features/home/cards.ts';
import { ROOT } from '../support/server.ts';
import { expect, gate, look, test } from './fixtures.ts';

test('shows what the server did to become ready', { tag: '@pictures' }, async ({ page, server }) => {
  await page.goto('/');
  const { startup, version } = await (await fetch(`${server.url}/api/status`)).json();
  const rows = page.getByRole('region', { name: 'Start-up' }).getByRole('listitem');
  await expect(rows).toHaveCount(startup.length + 1);
  await expect(rows.last()).toContainText('Ready');
  await expect(page.getByText(`Version ${version}`)).toBeVisible();
  await look(page, 'home-ready');
});

test.describe('while the database is away', () => {
  test.use({ failedRequests: true });

  test('says why it is not ready, and fills in live when it becomes so', async ({ page, backend }) => {
    const way = await gate(backend.databaseUrl);
    await using server = await backend.start({ DATABASE_URL: way.url });
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
    await using server = await backend.start({ DATABASE_URL: way.url });
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

test('every command of the cards is one that the repository has', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const commands = CARDS.flatMap(({ lines }) => lines.flatMap(({ command }) => command ?? []));
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) {
    const script = /^npm (?:run )?(?!pkg )(\S+)/.exec(command)?.[1];
    if (script) expect(Object.keys(scripts), command).toContain(script);
    const file = command.startsWith('docker build') ? 'Dockerfile' : /^node (\S+)/.exec(command)?.[1];
    if (file) expect(existsSync(join(ROOT, file)), command).toBe(true);
  }
});

test('every address of the cards answers', async ({ server }) => {
  for (const { href } of CARDS.flatMap(({ lines }) => lines)) {
    if (!href) continue;
    const { status } = await fetch(server.url + href, { headers: { Accept: 'text/html, */*' } });
    expect(status, href).toBe(200);
  }
});
