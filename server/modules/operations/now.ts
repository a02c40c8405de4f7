import type { ProcessStatus } from '#contracts/operations/process.ts';
import { type ProbeSources, ready } from '../../platform/health/probe-documents.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Maximum age of the check results in a response, in milliseconds. */
const FRESH_MS = 1_000;

/**
 * The current status of the process: whether it is ready, since when, and its figures.
 *
 * A call runs the required checks if their results are older than a second, so the second call notices that the database stopped.
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
