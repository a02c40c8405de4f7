import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { listAlerts } from '#contracts/operations/alerts.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import type { AlertRule } from '../../platform/parts.ts';
import { RULES } from './alert-rules.ts';
import { type AlertSources, alertMetrics, eventLoopMetrics, watchAlerts } from './alert-watch.ts';
import { Alerts } from './alerts.ts';
import { Silences } from './silences.ts';

export interface Alerting {
  alerts: Alerts;
  silences: Silences;
}

/**
 * Has the rules of operations and of all parts judged until the application closes, and their states scraped.
 *
 * @throws Error where a part's rule has the name of one of operations.
 */
export function startAlerting(
  app: FastifyInstance,
  {
    database,
    alertRules,
    ...rest
  }: Omit<AlertSources, 'databaseFailures'> & { database: Database; alertRules: readonly AlertRule[] },
): Alerting {
  const twice = alertRules.find(({ name }) => RULES.some((own) => own.name === name));
  if (twice) throw new Error(`Operations has an alert rule '${twice.name}' of its own: rename the part's.`);
  const sources = { ...rest, databaseFailures: () => database.failures };
  const silences = new Silences(database.db, app.log);
  const alerts = new Alerts(app.log, silences, [...RULES, ...alertRules]);
  app.metricsRegistry.add(...alertMetrics(alerts, sources), ...eventLoopMetrics(sources.traffic.samples));
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
