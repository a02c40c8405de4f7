/**
 * Adds `/live`, `/ready`, `/health`, `/startup`, and the first three once more under `/api/monitoring/`.
 *
 * It stands before everything that can refuse a request: a probe is never limited, held or refused under load.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { getHealth, getLive, getReady, getStartup } from '#contracts/probes.ts';
import { PROBE_RETRY_AFTER, type ProbeSources } from '../health/probe-documents.ts';
import { PROBES } from '../health/probe-listener.ts';
import type {} from './access/access.ts';
import type {} from './rate-limit/rate-limit.ts';

const CONTRACTS = [getLive, getReady, getHealth, getStartup];

/** The paths of a probe: its short one, and one beside the rest of monitoring. */
const pathsOf = (path: string) => (path === '/startup' ? [path] : [path, `/api/monitoring${path}`]);

/** Every path of a probe, for the plugins that must let them pass. */
export const PROBE_PATHS: ReadonlySet<string> = new Set(CONTRACTS.flatMap(({ url }) => pathsOf(url)));

export async function probes(app: FastifyInstance, sources: ProbeSources): Promise<void> {
  // The schemas are for the API description alone: compiling seven serializers would take time at start.
  app.setSerializerCompiler(() => JSON.stringify);
  for (const { url: path, method, schema } of CONTRACTS) {
    const probe = PROBES[path];
    if (probe === undefined) throw new Error(`There is no probe ${path}.`);
    for (const url of pathsOf(path)) {
      app.route({
        method,
        url,
        schema,
        config: { quiet: true, access: 'public', limit: false },
        async handler(_request, reply: FastifyReply) {
          const { status, body } = await probe(sources);
          reply.code(status).header('cache-control', 'no-store');
          if (status === 503) reply.header('retry-after', PROBE_RETRY_AFTER);
          return body;
        },
      });
    }
  }
}
