import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { readConfig } from '#contracts/operations/deployment.ts';
import { changeLogLevel, listErrors, readLogLevel, readLogs } from '#contracts/operations/log.ts';
import type {} from '../../platform/http/connections.ts';
import type {} from '../../platform/http/metrics.ts';
import type {} from '../../platform/http/overload.ts';
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

export type OperationsOptions = Platform<typeof operationsSettings> & Brought;

/**
 * The API of the operations screen. It is needed most when the server is not ready, so it works in every state and without the
 * database, and is neither held, nor timed, nor shed.
 */
export const operationsRoutes: FastifyPluginAsyncTypebox<OperationsOptions> = async (app, options) => {
  const { settings, log, logLines, probeSources, database } = options;
  const { instance } = options.about;
  const { lifecycle, checks } = probeSources;
  const { end: endViews, ...views } = viewLog(logLines);
  const traffic = new Traffic(app.observations, {
    instance,
    connections: () => app.connections,
    pool: () => database.stats(),
    refused: () => ({ rateLimited: sum(app.rateLimits.refused), shed: sum(app.overload.shed) }),
    onServerError: (route, status, request) => views.errors.addAnswer(route, status, request),
  });
  const now = createNow(instance, probeSources, traffic);
  const { alerts, silences } = startAlerting(app, { ...options, traffic, lifecycle, checks });
  const level = new LogLevelSwitch(log, app.log as Logger);

  // Polling must not fill the log that the screen shows.
  app.addHook('onRoute', (route) => {
    const isRead = [route.method].flat().every((method) => method === 'GET' || method === 'HEAD');
    route.config = { limit: 'local', quiet: isRead, ...route.config };
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onClose', async () => {
    level.reset();
    traffic.close();
    endViews();
  });

  await app.register(profile, { instance });
  await app.register(figures, { traffic, now });
  await app.register(alertRoutes, { instance, alerts, silences });
  await app.register(readinessRoutes, options);
  await app.register(stream, {
    ...views,
    instance,
    lifecycle,
    traffic,
    now,
    alerts,
    silences,
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

  const levelNow = () => ({ instance, ...level.now(), scope: 'this replica only' as const });
  app.route({ ...readLogLevel, config: { access: 'operator' }, handler: levelNow });

  app.route({
    ...changeLogLevel,
    config: { access: 'operator' },
    handler({ body }) {
      level.change(body.level, body.minutes * 60_000);
      return levelNow();
    },
  });
};

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);
