import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { listAlerts } from '#contracts/monitoring.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import type {} from '../../platform/http/metrics.ts';
import { type AlertSources, alertMetrics, watchAlerts } from './alert-watch.ts';
import { Alerts } from './alerts.ts';
import { Silences } from './silences.ts';

export interface Alerting {
  alerts: Alerts;
  silences: Silences;
}

/** Has the rules judged until the application closes, and their states scraped. */
export function startAlerting(
  app: FastifyInstance,
  { database, ...rest }: Omit<AlertSources, 'traffic' | 'databaseFailures'> & { database: Database },
): Alerting {
  const sources = { ...rest, traffic: app.traffic, databaseFailures: () => database.failures };
  const silences = new Silences(database.db, app.log);
  const alerts = new Alerts(app.log, silences);
  app.metricsRegistry.add(...alertMetrics(alerts, sources));
  const stop = watchAlerts(alerts, sources);
  app.addHook('onClose', async () => stop());
  return { alerts, silences };
}

/** The alerts over the wire, with the silences as they are now. */
export const alertRoutes: FastifyPluginAsyncTypebox<Alerting & { instance: string }> = async (app, parts) => {
  const { instance, alerts, silences } = parts;
  app.route({
    ...listAlerts,
    config: { access: 'operator' },
    async handler() {
      await silences.refresh();
      return { instance, alerts: alerts.list() };
    },
  });
};
