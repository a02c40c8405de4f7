import type { RequestListener } from 'node:http';
import { pathOf } from '../lib/problem.ts';
import {
  health,
  live,
  PROBE_RETRY_AFTER,
  type ProbeAnswer,
  type ProbeSources,
  ready,
  startup,
} from './probe-documents.ts';

type Probe = (sources: ProbeSources) => ProbeAnswer | Promise<ProbeAnswer>;

/** The four probes by path. */
export const PROBES: Readonly<Record<string, Probe>> = {
  '/live': live,
  '/ready': ready,
  '/health': health,
  '/startup': startup,
};

/**
 * Answers the probes on a bare HTTP server: while the application loads, and on METRICS_PORT.
 *
 * @returns A listener that does nothing and returns false for any other path.
 */
export function probeListener(sources: ProbeSources): (...args: Parameters<RequestListener>) => boolean {
  return (request, response) => {
    const probe = PROBES[pathOf(request.url ?? '')];
    if (probe === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false;
    void answerOf(probe, sources).then(({ status, body }) => {
      const text = JSON.stringify(body);
      response.writeHead(status, {
        'content-type': 'application/json; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        ...(status === 503 ? { 'retry-after': PROBE_RETRY_AFTER } : {}),
        ...(sources.lifecycle.state === 'draining' ? { connection: 'close' } : {}),
      });
      response.end(request.method === 'HEAD' ? undefined : text);
    });
    return true;
  };
}

/** A probe that fails must not end the process. The reason is not public. */
async function answerOf(probe: Probe, sources: ProbeSources): Promise<ProbeAnswer> {
  try {
    return await probe(sources);
  } catch {
    return { status: 503, body: { error: 'the probe failed', state: sources.lifecycle.state } };
  }
}
