/**
 * Adds what operators see and do of the services that this process calls, and their metrics.
 *
 * It stands outside of what is held and shed, because an operator isolates a service when all else is slow.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { isolateDependency, listDependencies, resetDependency } from '#contracts/dependencies.ts';
import { ProblemError } from '../lib/problem.ts';
import { redacted } from '../logging/redaction.ts';
import type { Dependency } from '../resilience/dependency.ts';
import { dependencyMetrics } from '../resilience/dependency-metrics.ts';
import type { Resilience } from '../resilience/resilience.ts';
import type {} from './access/access.ts';
import type {} from './metrics.ts';

export const dependencies: FastifyPluginAsyncTypebox<{
  resilience: Resilience;
  instance: string;
}> = async (app, { resilience, instance }) => {
  app.metricsRegistry.add(...dependencyMetrics(resilience));
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  const named = (name: string) => {
    const found = resilience.get(name);
    if (found) return found;
    throw new ProblemError('not-found', `This process has called no service '${name}' since its start.`);
  };

  app.route({
    ...listDependencies,
    config: { access: 'operator' },
    handler: async () => ({ instance, dependencies: resilience.dependencies.map(written) }),
  });

  app.route({
    ...resetDependency,
    config: { access: 'operator' },
    async handler({ params: { name } }) {
      const dependency = named(name);
      dependency.reset();
      return written(dependency);
    },
  });

  app.route({
    ...isolateDependency,
    config: { access: 'operator' },
    async handler({ params: { name } }) {
      const dependency = named(name);
      dependency.isolate();
      return written(dependency);
    },
  });
};

function written({ name, state, running, waiting, limits, outcomes, retries, lastError }: Dependency) {
  const last = lastError && {
    message: redacted(lastError.message),
    at: lastError.at.toISOString(),
  };
  return { name, state, running, waiting, limits, calls: outcomes, retries, lastError: last ?? null };
}
