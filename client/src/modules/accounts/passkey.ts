import type { addPasskey, beginPasskey } from '#contracts/accounts/passkeys.ts';
import type { beginPasskeySignIn, Next, signInWithPasskey } from '#contracts/accounts/sign-in.ts';
import { request } from '@/kit/lib/api.ts';
import { onPresence } from '@/kit/lib/connection.ts';
import { TEXTS } from './texts.ts';

/** Whether this browser can: it needs TLS, or localhost. */
export const hasPasskeys = () =>
  'PublicKeyCredential' in window && 'parseCreationOptionsFromJSON' in PublicKeyCredential;

/** The browser says little of why there is no passkey, so that a page learns nothing. */
async function fromBrowser(ask: () => Promise<Credential | null>): Promise<Record<string, unknown>> {
  try {
    const credential = (await ask()) as PublicKeyCredential;
    return credential.toJSON() as unknown as Record<string, unknown>;
  } catch (error) {
    const isKnown = (error as Error).name === 'InvalidStateError';
    throw new Error(isKnown ? TEXTS.passkeyKnown : TEXTS.noPasskey, { cause: error });
  }
}

/** Signs in with a passkey of the person's choice. @throws {Error} None was used. */
export async function signInByPasskey(): Promise<Next> {
  const options = await request<typeof beginPasskeySignIn>('POST', '/api/account/sign-in/passkey/begin');
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as never);
  return signInWith(await fromBrowser(() => navigator.credentials.get({ publicKey })));
}

const signInWith = (response: Record<string, unknown>) =>
  request<typeof signInWithPasskey>('POST', '/api/account/sign-in/passkey', { body: { response } });

/** How long a challenge is offered, in milliseconds. better-auth's expire after 5 minutes. */
const CHALLENGE_MS = 270_000;

/**
 * Calls `act` once `ms` milliseconds have passed and a person is there. A forgotten tab has no timer.
 *
 * @returns A function that cancels it.
 */
function whenPresentAfter(ms: number, act: () => void) {
  const due = Date.now() + ms;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = onPresence((present) => {
    clearTimeout(timer);
    if (present) timer = setTimeout(act, due - Date.now());
  });
  return () => {
    clearTimeout(timer);
    end();
  };
}

/**
 * Lets the browser offer passkeys where the person types the address (`autocomplete="username webauthn"`).
 *
 * @returns What comes next, once one was chosen; undefined where the browser cannot, or `signal` was aborted.
 */
export async function signInByAutofill(signal: AbortSignal): Promise<Next | undefined> {
  if (!hasPasskeys() || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return undefined;
  for (;;) {
    const expired = new AbortController();
    const chosen = await autofill(AbortSignal.any([signal, expired.signal]), () => expired.abort());
    if (chosen) return signInWith(chosen);
    if (signal.aborted || !expired.signal.aborted) return undefined;
  }
}

/** Offers one challenge. The person has asked for nothing yet, so failures before they choose are not shown. */
async function autofill(signal: AbortSignal, onExpired: () => void) {
  let end: (() => void) | undefined;
  try {
    const options = await request<typeof beginPasskeySignIn>('POST', '/api/account/sign-in/passkey/begin', {
      signal,
    });
    end = whenPresentAfter(CHALLENGE_MS, onExpired);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as never);
    return await fromBrowser(() =>
      navigator.credentials.get({ publicKey, signal, mediation: 'conditional' }),
    );
  } catch {
    return undefined;
  } finally {
    end?.();
  }
}

/** Makes a passkey on this device or another, and adds it to the account. @throws {Error} None was made. */
export async function makePasskey(name: string) {
  const options = await request<typeof beginPasskey>('POST', '/api/account/passkeys/begin');
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as never);
  const response = await fromBrowser(() => navigator.credentials.create({ publicKey }));
  return request<typeof addPasskey>('POST', '/api/account/passkeys', { body: { name, response } });
}
