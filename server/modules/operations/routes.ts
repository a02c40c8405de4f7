import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { readConfig } from '#contracts/operations/deployment.ts';
import {
  changeLogLevel,
  type LogLevelNow,
  listErrors,
  readLogLevel,
  readLogs,
} from '#contracts/operations/log.ts';
import type {} from '../../platform/http/connections.ts';
import type {} from '../../platform/http/metrics.ts';
import type {} from '../../platform/http/overload.ts';
import { sendNotStored } from '../../platform/http/quick-response.ts';
import type {} from '../../platform/http/rate-limit/rate-limit.ts';
import type { Logger } from '../../platform/logging/logger.ts';
import type { Brought, Platform } from '../../platform/parts.ts';
import { alertRoutes } from './alert-routes.ts';
import { startAlerting } from './alert-watch.ts';
import { figures } from './figures.ts';
import { LogLevelSwitch } from './log/log-level.ts';
import { viewLog } from './log/log-views.ts';
import { createNow } from './now.ts';
import { profile } from './profile.ts';
import { readinessRoutes } from './readiness.ts';
import type { operationsSettings } from './settings.ts';
import { stream } from './stream.ts';
import { Traffic } from './traffic/traffic.ts';

export type OperationsParts = Platform<typeof operationsSettings> & Brought;

/**
 * What operators may know and do. It works in every state of the process and without the database, because that is when
 * it is looked at; so it stands outside of what is held, limited in time and shed.
 */
export const operationsRoutes: FastifyPluginAsyncTypebox<OperationsParts> = async (app, parts) => {
  const { settings, log, logLines, probeSources, database } = parts;
  const { instance } = parts.about;
  const { lifecycle, checks } = probeSources;
  const { observations, metricsRegistry } = app;
  const traffic = new Traffic(observations, {
    instance,
    connections: () => app.connections,
    pool: () => database.stats(),
    refused: () => ({ rateLimited: sum(app.rateLimits.refused), shed: sum(app.overload.shed) }),
  });
  const { end: endViews, ...views } = viewLog(logLines);
  const now = createNow(instance, probeSources, traffic);
  const { alerts, silences } = startAlerting(app, { ...parts, traffic, lifecycle, checks });
  const level = new LogLevelSwitch(log, app.log as Logger);

  // A screen that polls must not fill the log that it shows.
  app.addHook('onRoute', (route) => {
    const isRead = [route.method].flat().every((method) => method === 'GET' || method === 'HEAD');
    route.config = { limit: 'local', quiet: isRead, ...route.config };
  });
  app.addHook('onRequest', (_request, reply, done) => {
    sendNotStored(reply);
    done();
  });
  app.addHook('onClose', async () => {
    level.reset();
    traffic.close();
    endViews();
  });

  await app.register(profile, { instance });
  await app.register(figures, { traffic, metricsRegistry, now });
  await app.register(alertRoutes, { instance, alerts, silences });
  await app.register(readinessRoutes, { ...parts, instance, lifecycle });
  await app.register(stream, {
    ...views,
    instance,
    lifecycle,
    traffic,
    now,
    alerts: {
      list: () => alerts.list(),
      onChange: (listener) => alerts.onChange(listener),
      refresh: () => silences.refresh(),
    },
  });

  app.route({
    ...listErrors,
    config: { access: 'operator' },
    handler: () => ({ instance, errors: views.errors.list() }),
  });

  app.route({
    ...readLogs,
    config: { access: 'operator' },
    handler: ({ query }) => ({ instance, lines: views.tail.read({ limit: 200, ...query }) }),
  });

  app.route({
    ...readConfig,
    config: { access: 'operator' },
    handler: () => ({
      instance,
      settings: settings.map((one) => ({ ...one, value: one.value === '' ? null : one.value })),
    }),
  });

  app.route({ ...readLogLevel, config: { access: 'operator' }, handler: levelNow });

  app.route({
    ...changeLogLevel,
    config: { access: 'operator' },
    handler({ body }) {
      level.change(body.level, body.minutes * 60_000);
      return levelNow();
    },
  });

  function levelNow(): LogLevelNow {
    const { level: inForce, until } = level.now();
    return {
      instance,
      level: inForce,
      configured: level.configured,
      until: until === undefined ? null : new Date(until).toISOString(),
      scope: 'this replica only',
    };
  }
};

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);
