import type { AnyRouter } from '@tanstack/react-router';
import type { readMe } from '#contracts/accounts/account.ts';
import type { Problem } from '#contracts/problem.ts';
import { request } from '@/kit/lib/api.ts';
import { knownMe, loadMe } from './me.ts';

/** What is asked: to sign in again, or, with `recent`, to show the password once more. */
export interface Asked {
  readonly kind: 'session' | 'recent';
  /** The answer. @param isSettled The request that was refused may be sent again. */
  readonly settle: (isSettled: boolean) => void;
}
type Show = (question: Asked | undefined) => void;

/** A 401 of these says that what was typed is wrong. Operators' screens with a key have a sign-in of their own. */
const OWN = /^\/api\/(account\/(sign-|reauthenticate|setup|verify|reset)|monitoring\/|operations\/)/;
/** A 401 of this says so as well, or that the session has ended. */
const CONFIRM = '/api/account/two-factor/confirm';
const REAUTHENTICATE = '/problems/reauthenticate';

let flight: Promise<boolean> | undefined;

function ask(kind: Asked['kind'], show: Show): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  show({ kind, settle: resolve });
  return promise.finally(() => show(undefined));
}

async function signInAgain(userId: string, show: Show): Promise<boolean> {
  const isSettled = await ask('session', show);
  const { user } = await loadMe();
  // What is on screen belongs to another person.
  if (user && user.id !== userId) location.reload();
  return isSettled;
}

/**
 * The one place for a 401. A screen that needs a user sends an anonymous visitor to sign in, and back. Where a session has ended
 * or a recent sign-in is needed, it asks over the screen, and the request is sent again: nothing that was typed is lost.
 *
 * @param show Shows a question, or none.
 * @returns Whether the request may be sent again.
 */
export async function answer401(
  { type, instance }: Problem,
  show: Show,
  router: AnyRouter,
): Promise<boolean> {
  if (type !== REAUTHENTICATE) {
    if (OWN.test(instance)) return false;
    if (instance === CONFIRM && (await request<typeof readMe>('GET', '/api/me')).user) return false;
  }
  const userId = knownMe()?.user?.id;
  if (userId === undefined) {
    const search = { returnTo: location.pathname + location.search };
    // Another request of the same screen may have been refused first.
    if (location.pathname !== '/sign-in') void router.navigate({ to: '/sign-in', search, replace: true });
    // The screen waits as it is until it is left.
    return new Promise(() => {});
  }
  // Requests that are refused together wait for one answer.
  flight ??= (type === REAUTHENTICATE ? ask('recent', show) : signInAgain(userId, show)).finally(() => {
    flight = undefined;
  });
  return flight;
}
