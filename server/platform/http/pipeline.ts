import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { dirname } from 'node:path';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  LogController,
} from 'fastify';
import { notes } from '../../features/notes/routes.ts';
import { operations } from '../../modules/operations/routes.ts';
import type { Config, EffectiveSetting } from '../config/config.ts';
import type { Database } from '../database/pool/pool.ts';
import type { HealthChecks } from '../health/health-checks.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import {
  diskCheck,
  eventLoopCheck,
  memoryCheck,
  openFilesCheck,
  systemCheck,
} from '../health/standard-checks.ts';
import { connectionsThatFit } from '../lib/open-files.ts';
import type { Logger, LogViews } from '../logging/logger.ts';
import { makeRequestLogsLazy } from '../logging/request-log.ts';
import { access } from './access/access.ts';
import type { SignInToken } from './access/sign-in-token.ts';
import { accessLog } from './access-log.ts';
import { allowedHosts } from './allowed-hosts.ts';
import { apiDescription } from './api-description/api-description.ts';
import { compression } from './compression.ts';
import { connections } from './connections.ts';
import { cors } from './cors.ts';
import { crossSiteWrites } from './cross-site-writes.ts';
import { draining } from './draining.ts';
import { client } from './files/client.ts';
import { quickFiles } from './files/quick-files.ts';
import { handlerDeadline } from './handler-deadline.ts';
import { jsonBodies } from './json-bodies.ts';
import { metrics, observeBroken, observeRefused } from './metrics.ts';
import { OverloadFacts, overload, refuseAtTheDoor } from './overload.ts';
import { PROBE_PATHS, probes } from './probes.ts';
import { answerBrokenConnection, problems, sendEarlyError } from './problems.ts';
import { sendNotStored } from './quick-response.ts';
import { postgresStore } from './rate-limit/postgres-store.ts';
import { rateLimit } from './rate-limit/rate-limit.ts';
import type { SharedStore } from './rate-limit/shared-counter.ts';
import { requestContext, requestId } from './request-context.ts';
import { SchemaCompilers } from './schemas.ts';
import { securityHeaders } from './security-headers.ts';
import { startupHold } from './startup-hold.ts';
import { status } from './status.ts';
import { trustOf } from './trust.ts';
import { trustedProxies } from './trusted-proxies.ts';
import { unguardedWrites } from './unguarded-writes.ts';

/** What lines of log call the id of a request. */
const ID_LABEL = 'requestId';

export interface AppParts {
  config: Config;
  settings: readonly EffectiveSetting[];
  log: Logger;
  views: LogViews;
  database: Database;
  checks: HealthChecks;
  probeSources: ProbeSources;
  /** The server whose port is open already. */
  server: Server;
  about: { name: string; version: string; instance: string };
  /** The built client; or, in development, how Vite serves it. */
  clientFrom: { folder: string } | { serve(app: FastifyInstance): Promise<void> };
  /** Signs in whoever sees the terminal; only where there is one. */
  signInToken?: SignInToken | undefined;
  /** Features besides those of the list below: tests bring one of their own. */
  features?: readonly FastifyPluginAsync<{ db: Database['db'] }>[];
}

/**
 * The application: who reads this list from top to bottom has seen the life of a request.
 *
 * @returns The listener that answers every request; the application, to end what the plugins hold; and its schemas, which are
 *   compiled when they are needed, to be compiled ahead of that.
 */
export async function createApp(
  parts: AppParts,
): Promise<{ app: FastifyInstance; handler: RequestListener; schemas: SchemaCompilers }> {
  const { config, log, database, checks, probeSources, server, about, clientFrom } = parts;
  const { lifecycle } = probeSources;
  const trusts = trustOf(config.trustProxy);

  const app: FastifyInstance = Fastify({
    // The port has been open since before this file was loaded.
    serverFactory: () => server,
    loggerInstance: log as FastifyBaseLogger,
    // One line a request is written by a plugin of ours.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: ID_LABEL }),
    genReqId: requestId,
    trustProxy: config.trustProxy && trusts,
    bodyLimit: config.http.bodyLimitBytes,
    // Draining answers until the last connection is gone; refusing is the load balancer's to do.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (error, request, reply) => sendEarlyError(error, request as never, reply as never),
    clientErrorHandler: answerBrokenConnection(
      () => requestId({ headers: {} } as IncomingMessage),
      (status, socket) => observeBroken(app, status, socket),
    ),
  });
  makeRequestLogsLazy(app.log, ID_LABEL);
  const schemas = new SchemaCompilers();
  app.setValidatorCompiler(schemas.validator);
  app.setSerializerCompiler(schemas.serializer);

  // Every request, in this order.
  await app.register(requestContext);
  await app.register(draining, { lifecycle });
  const most = connectionsThatFit(config.http.maxConnections, config.database.poolSize, (text) =>
    log.warn(text),
  );
  await app.register(connections, { server, most, alwaysAnswered: PROBE_PATHS, lifecycle });
  app.decorate('overload', new OverloadFacts());
  const { enabled } = config.metrics;
  await app.register(metrics, { enabled, instance: about.instance, database, probeSources });
  await app.register(accessLog);
  await app.register(problems);
  await app.register(jsonBodies);
  await app.register(securityHeaders, {
    hsts: config.hsts,
    fromVite: 'serve' in clientFrom,
    inReplitWorkspace: config.platform.replit === 'workspace',
  });
  await app.register(trustedProxies, { ranges: config.trustProxy, trusts });
  await app.register(allowedHosts, { hosts: config.allowedHosts, exempt: PROBE_PATHS });
  await app.register(cors, { origins: config.corsOrigins });
  await app.register(crossSiteWrites, {
    origins: [config.publicUrl ?? []].flat(),
    corsOrigins: config.corsOrigins,
  });
  await app.register(access, {
    keys: config.internalApiKeys,
    sessionSecrets: config.sessionSecrets,
    allowHttpSignIn: config.allowHttpSignIn || config.environment !== 'production',
    ruleTimeoutMs: config.http.requestTimeoutMs,
  });
  await app.register(unguardedWrites);
  await app.register(compression);
  await app.register(apiDescription, {
    ...about,
    clientFolder: 'folder' in clientFrom ? clientFrom.folder : undefined,
  });

  // Answered in every state.
  await app.register(probes, probeSources);
  await app.register(rateLimit, { ...config.rateLimit, lifecycle, shared: await sharedLimits(parts, app) });
  await app.register(status, { sources: probeSources, ...about });
  // Whose disk is watched: the one that is written to most.
  const written = config.database.embedded ? config.dataDir : config.diagnosticsDir;
  const folder = config.log.file ? dirname(config.log.file) : written;
  const { settings, views, signInToken } = parts;
  await app.register(operations, {
    instance: about.instance,
    config,
    settings,
    log,
    views,
    database,
    probeSources,
    folder,
    signInToken,
  });

  // The API: held while starting, refused quickly while the database is away.
  await app.register(async (api) => {
    api.addHook('onRequest', (_request, reply, done) => {
      sendNotStored(reply);
      done();
    });
    await api.register(startupHold, { lifecycle, holdMs: config.startupHoldMs });
    await api.register(handlerDeadline, { limitMs: config.http.requestTimeoutMs });
    await api.register(overload, { waitedMs: () => parts.database.waitedMs() });
    await api.register(notes, { db: parts.database.db });
    for (const feature of parts.features ?? []) await api.register(feature, { db: parts.database.db });
  });

  // The client, for whatever is left.
  if ('folder' in clientFrom) await app.register(client, clientFrom);
  else await clientFrom.serve(app);

  checks.register(memoryCheck());
  checks.register(eventLoopCheck());
  checks.register(diskCheck(folder));
  checks.register(openFilesCheck());
  checks.register(systemCheck());

  await app.ready();
  const anyHost = config.allowedHosts.length === 0;
  const handler = quickFiles(app, { lifecycle, anyHost, hsts: config.hsts, trusts });
  const never = ['/api/status', '/api/monitoring/', '/api/operations/', '/api/docs', '/api/openapi.json'];
  const headers = app.securityHeaders;
  return {
    app,
    handler: refuseAtTheDoor(handler, app.overload, {
      features: '/api/',
      never,
      headers,
      requestId,
      onRefused: (request, ms) => observeRefused(app, request, ms),
    }),
    schemas,
  };
}

/** Where the limits of all replicas are counted, if they are counted together. */
async function sharedLimits(
  { config, database, log, checks }: AppParts,
  app: FastifyInstance,
): Promise<SharedStore | undefined> {
  if (config.rateLimit.store === 'postgres') return { store: postgresStore(database.db) };
  if (config.rateLimit.store !== 'redis' || config.redisUrl === undefined) return undefined;
  const { connectRedis, redisCheck } = await import('./rate-limit/redis-store.ts');
  const redis = connectRedis(config.redisUrl, log as FastifyBaseLogger);
  app.addHook('onClose', () => redis.disconnect());
  checks.register(redisCheck(redis));
  return { redis };
}
