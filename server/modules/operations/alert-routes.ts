import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { createSilence, deleteSilence, listAlerts, listSilences } from '#contracts/operations/alerts.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Alerting } from './alert-watch.ts';

/** Alerts and silences. Both can be read while the database is away; changing a silence is then answered 503. */
export const alertRoutes: FastifyPluginAsyncTypebox<Alerting & { instance: string }> = async (
  app,
  options,
) => {
  const { instance, alerts, silences } = options;
  const config = { access: 'operator' } as const;

  app.route({
    ...listAlerts,
    config,
    async handler() {
      await silences.refresh();
      return { instance, alerts: alerts.list() };
    },
  });

  app.route({
    ...listSilences,
    config,
    async handler() {
      await silences.refresh();
      return { instance, silences: silences.list() };
    },
  });

  app.route({
    ...createSilence,
    config,
    async handler({ body }, reply) {
      if (body.alert !== '*' && !alerts.knows(body.alert)) {
        throw new ProblemError('validation', `There is no alert '${body.alert}'. Use '*' for all alerts.`, {
          errors: [{ path: 'body/alert', message: 'names no alert' }],
        });
      }
      const silence = await silences.create(body);
      alerts.changed();
      return reply.code(201).send(silence);
    },
  });

  app.route({
    ...deleteSilence,
    config,
    async handler({ params: { id } }, reply) {
      if (!(await silences.end(id))) throw new ProblemError('not-found', `There is no active silence ${id}.`);
      alerts.changed();
      return reply.code(204).send(null);
    },
  });
};
