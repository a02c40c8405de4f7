import type { ProcessStatus } from '#contracts/operations/process.ts';
import { type ProbeSources, ready } from '../../platform/health/probe-documents.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Whoever looks now wants to know how it is now, not how it was when somebody last looked. In milliseconds. */
const FRESH_MS = 1_000;

/**
 * How the process is at this moment: whether it is ready, since when, and its figures.
 *
 * Asking makes the required checks run if their results are older than a second; so a database that has stopped shows
 * within two looks.
 */
export function createNow(
  instance: string,
  sources: ProbeSources,
  traffic: Pick<Traffic, 'figures'>,
): () => Promise<ProcessStatus> {
  const { lifecycle, checks } = sources;
  let wasReady = false;
  let since = new Date(performance.timeOrigin).toISOString();
  const note = (isReady: boolean) => {
    if (isReady !== wasReady) since = new Date().toISOString();
    wasReady = isReady;
  };
  lifecycle.onTransition(({ to }) => note(to === 'ready'));

  return async () => {
    await checks.read({ requiredOnly: true, notOlderThanMs: FRESH_MS });
    const { status, body } = await ready(sources);
    const isReady = status === 200;
    note(isReady);
    return {
      instance,
      state: lifecycle.state,
      ready: isReady,
      since,
      ...(isReady ? {} : { problem: String(body.error) }),
      ...traffic.figures(),
    };
  };
}
