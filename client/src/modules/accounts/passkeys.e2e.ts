import type { Page } from '@playwright/test';
import { accountsServer, button } from '../../../../tests/browser/accounts.ts';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';

const { at, signOut, signUp } = accountsServer();

/** A virtual authenticator of this device, whose user is verified. @param options.automaticPresenceSimulation Whether it confirms at once. */
async function addAuthenticator(page: Page, { automaticPresenceSimulation = true } = {}) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation,
    },
  });
}

test('a passkey is added, and signs in', async ({ page }) => {
  await signUp(page, '/account/sign-in');
  await addAuthenticator(page);
  await button(page, 'Add a passkey').click();
  await page.getByLabel('Name of the passkey').fill('Work laptop');
  await button(page, 'Continue').click();
  await expect(page.getByRole('list', { name: 'Passkeys' }).getByText('Work laptop')).toBeVisible();
  await look(page, 'accounts-sign-in-methods');
  await signOut(page);

  // As a browser without autofill of passkeys, which waits for the button.
  await page.addInitScript(() => {
    if (location.hash !== '#button') return;
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  await page.goto(at('/sign-in?returnTo=%2Faccount%2Fsign-in#button'));
  await button(page, 'Sign in with a passkey').click();
  await page.waitForURL(at('/account/sign-in'));
  await signOut(page);

  // The browser offers it where the address is typed; this one chooses it at once.
  await page.goto(at('/sign-in?returnTo=%2Faccount%2Fsign-in'));
  await page.waitForURL(at('/account/sign-in'));
  await button(page, 'Remove Work laptop').click();
  await button(page, 'Remove passkey').click();
  await expect(page.getByText('No passkeys yet.')).toBeVisible();
});

test('autofill of passkeys asks for another challenge before the first expires, but not in a tab that is hidden or forgotten', async ({
  page,
}) => {
  // The person chooses nothing yet.
  await addAuthenticator(page, { automaticPresenceSimulation: false });
  const begun = { count: 0 };
  await page.route('**/passkey/begin', (route) => {
    begun.count += 1;
    return route.continue();
  });
  const show = (state: string) =>
    page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  const asked = (times: number) =>
    expect.poll(() => page.evaluate(() => (window as unknown as { asked: number }).asked)).toBe(times);
  await page.addInitScript(() => {
    const get = navigator.credentials.get.bind(navigator.credentials);
    Object.assign(window, { asked: 0 });
    navigator.credentials.get = (options) => {
      (window as unknown as { asked: number }).asked += 1;
      return get(options);
    };
  });
  await page.clock.install();
  await page.goto(at('/sign-in'));
  await asked(1);
  await page.keyboard.press('Shift');
  await page.clock.runFor('04:40');
  await asked(2);
  await show('hidden');
  await page.clock.runFor('20:00');
  expect(begun.count).toBe(2);
  await show('visible');
  await page.clock.runFor(1_000);
  await asked(3);
  expect(begun.count).toBe(3);

  // It may ask twice more until it is noticed that nobody is there.
  for (let minutes = 0; minutes < 60; minutes += 5) {
    await page.clock.runFor('05:00');
    await page.evaluate(() => fetch('/live'));
  }
  expect(begun.count).toBeLessThanOrEqual(5);
  const before = begun.count;
  await page.keyboard.press('Shift');
  await page.clock.runFor(1_000);
  await expect.poll(() => begun.count).toBe(before + 1);
});
