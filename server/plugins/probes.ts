/**
 * Adds `/live`, `/ready`, `/health`, `/startup`, and the first three once more under `/api/monitoring/`.
 *
 * It stands before everything that can refuse a request: a probe is never limited, held or shed.
 */
import type { FastifyInstance } from 'fastify';
import { PROBE_RETRY_AFTER, type ProbeSources } from '../monitoring/probe-documents.ts';
import { PROBES } from '../monitoring/probe-listener.ts';

export async function probes(app: FastifyInstance, sources: ProbeSources): Promise<void> {
  for (const [path, probe] of Object.entries(PROBES)) {
    const paths = path === '/startup' ? [path] : [path, `/api/monitoring${path}`];
    for (const url of paths) {
      app.get(url, { config: { quiet: true } }, async (_request, reply) => {
        const { status, body } = await probe(sources);
        reply.code(status).header('cache-control', 'no-store');
        if (status === 503) reply.header('retry-after', PROBE_RETRY_AFTER);
        return body;
      });
    }
  }
}
