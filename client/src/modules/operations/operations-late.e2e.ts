import { expect, resize, test } from '../../../../tests/browser/fixtures.ts';
import { SECRETS, signIn } from '../../../../tests/browser/operators.ts';

test('nothing moves, whichever answer a view has to wait for', async ({ page, backend }) => {
  await using server = await backend.start(SECRETS);
  await server.ready();
  await signIn(page, `${server.url}/ops`);
  let asked = 0;
  await page.route('**/api/monitoring/**', async (route) => {
    // Each in its turn comes before, with, or after the one that was asked for next.
    await new Promise((resolve) => setTimeout(resolve, asked++ % 2 ? 200 : 1_500));
    // What a view asked for that has been left meanwhile needs no answer.
    await route.continue().catch(() => {});
  });
  const sizes = [
    { width: 360, height: 740 },
    { width: 1440, height: 900 },
  ];
  for (const view of ['', '/routes', '/resources', '/errors', '/logs', '/alerts', '/settings']) {
    for (const [first, size] of [0, 1].flatMap((first) => sizes.map((size) => [first, size] as const))) {
      asked = first;
      await resize(page, size);
      await page.goto(`${server.url}/ops${view}`);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.getByText('Live', { exact: true })).toBeVisible();
      await expect(page.getByRole('main').locator('[aria-busy=true]')).toHaveCount(0);
    }
  }
  // The server ends with this test: an open stream would be cut off, which the console tells.
  await page.goto('about:blank');
});
