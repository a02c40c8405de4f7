import { onUnauthorized } from '@/kit/lib/api.ts';
import { knownMe, loadMe } from './me.ts';

/** What is asked: to sign in again, or, with `recent`, to show the password once more. */
export interface Asked {
  readonly kind: 'session' | 'recent';
  /** The answer. @param isSettled The request that was refused may be sent again. */
  readonly settle: (isSettled: boolean) => void;
}

/** A 401 of these says that what was typed is wrong. Operators' screens with a key have a sign-in of their own. */
const OWN = /^\/api\/(account\/(sign-|reauthenticate|setup|verify|reset)|monitoring\/|operations\/)/;
const REAUTHENTICATE = '/problems/reauthenticate';

let question: Asked | undefined;
let flight: Promise<boolean> | undefined;
const listeners = new Set<() => void>();

export const asked = () => question;
export function onAsked(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function ask(kind: Asked['kind']) {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const put = (next: Asked | undefined) => {
    question = next;
    for (const listener of listeners) listener();
  };
  const settle = (isSettled: boolean) => {
    put(undefined);
    resolve(isSettled);
  };
  put({ kind, settle });
  return promise;
}

/** Resolves to whether the refused request may be sent again. */
async function signInAgain(toSignIn: (returnTo: string) => unknown): Promise<boolean> {
  const before = knownMe()?.user?.id;
  if (before === undefined) {
    toSignIn(location.pathname + location.search);
    // The screen waits as it is until it is left.
    return new Promise(() => {});
  }
  const isSettled = await ask('session');
  const { user } = await loadMe();
  // What is on screen belongs to another person.
  if (user && user.id !== before) location.reload();
  return isSettled;
}

/**
 * The one place for a 401. A screen that needs a user sends an anonymous visitor to sign in, and back. Where a session has ended
 * or a recent sign-in is needed, it asks over the screen, and the request is sent again: nothing that was typed is lost.
 *
 * @param toSignIn Opens the screen to sign in.
 */
export function answer401s(toSignIn: (returnTo: string) => unknown) {
  onUnauthorized(({ type, instance }) => {
    if (type !== REAUTHENTICATE && OWN.test(instance)) return Promise.resolve(false);
    // Requests that are refused together wait for one answer.
    flight ??= (type === REAUTHENTICATE ? ask('recent') : signInAgain(toSignIn)).finally(() => {
      flight = undefined;
    });
    return flight;
  });
}
