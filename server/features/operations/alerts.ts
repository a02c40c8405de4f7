import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { listAlerts } from '#contracts/monitoring.ts';
import type { Alerts } from '../../monitoring/alerts.ts';
import type { Silences } from './silences.ts';

/** The alerts over the wire, with the silences as they are now. */
export const alertRoutes: FastifyPluginAsyncTypebox<{
  instance: string;
  silences: Silences;
  alerts: Alerts;
}> = async (app, { instance, silences, alerts }) => {
  app.route({
    ...listAlerts,
    async handler() {
      await silences.refresh();
      return { instance, alerts: alerts.list() };
    },
  });
};
