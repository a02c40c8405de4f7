/**
 * Adds `/live`, `/ready`, `/health`, `/startup`, and the first three once more under `/api/monitoring/`.
 *
 * It stands before everything that can refuse a request: a probe is never limited, held or shed.
 */
import type { FastifyInstance } from 'fastify';
import { PROBE_RETRY_AFTER, type ProbeSources } from '../monitoring/probe-documents.ts';
import { PROBES } from '../monitoring/probe-listener.ts';
import type {} from './access.ts';
import type {} from './rate-limit.ts';

/** Where a probe answers: its short path, and its place among the rest of monitoring. */
const pathsOf = (path: string) => (path === '/startup' ? [path] : [path, `/api/monitoring${path}`]);

/** Every path of a probe, for whoever must let them pass. */
export const PROBE_PATHS: ReadonlySet<string> = new Set(Object.keys(PROBES).flatMap(pathsOf));

export async function probes(app: FastifyInstance, sources: ProbeSources): Promise<void> {
  for (const [path, probe] of Object.entries(PROBES)) {
    for (const url of pathsOf(path)) {
      app.get(url, { config: { quiet: true, access: 'public', limit: false } }, async (_request, reply) => {
        const { status, body } = await probe(sources);
        reply.code(status).header('cache-control', 'no-store');
        if (status === 503) reply.header('retry-after', PROBE_RETRY_AFTER);
        return body;
      });
    }
  }
}
