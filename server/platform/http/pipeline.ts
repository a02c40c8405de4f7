import type { RequestListener, Server } from 'node:http';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import {
  diskCheck,
  eventLoopCheck,
  memoryCheck,
  openFilesCheck,
  systemCheck,
} from '../health/standard-checks.ts';
import { connectionsThatFit } from '../lib/open-files.ts';
import type { Application, Platform } from '../parts.ts';
import { access } from './access/access.ts';
import { placeOfKey, session } from './access/session.ts';
import { accessLog } from './access-log.ts';
import { allowedHosts } from './allowed-hosts.ts';
import { apiDescription } from './api-description/api-description.ts';
import { bodyBudget } from './body-budget.ts';
import { collect } from './collect-parts.ts';
import { compression } from './compression.ts';
import { connections } from './connections.ts';
import { cors } from './cors.ts';
import { crossSiteWrites } from './cross-site-writes.ts';
import { dependencies } from './dependencies.ts';
import { draining } from './draining.ts';
import { client } from './files/client.ts';
import { handlerDeadline } from './handler-deadline.ts';
import { jsonBodies } from './json-bodies.ts';
import { metrics, observeBroken } from './metrics.ts';
import { overload, shedCounts } from './overload.ts';
import { PROBE_PATHS, probes } from './probes.ts';
import { answerBrokenConnection, problems, sendEarlyError } from './problems.ts';
import { rateLimit } from './rate-limit/rate-limit.ts';
import { sharedStore } from './rate-limit/shared-store.ts';
import { requestContext, requestId } from './request-context.ts';
import { SchemaCompilers } from './schemas.ts';
import { scrape } from './scrape.ts';
import { securityHeaders } from './security-headers.ts';
import { startupHold } from './startup-hold.ts';
import { status } from './status.ts';
import { trustOf } from './trust.ts';
import { trustedProxies } from './trusted-proxies.ts';

/** The name of a request's id in log lines. */
const ID_LABEL = 'requestId';

export interface PipelineOptions {
  platform: Platform;
  application: Application;
  /** The server whose port is open already. */
  server: Server;
  /** Where there is no built client: serves it from its sources. */
  serveClient?(app: FastifyInstance): Promise<void>;
}

/**
 * The life of a request, from top to bottom. Each plugin's first comment says what it adds and why it stands where it stands;
 * `server/app.ts` lists the modules and features.
 *
 * @returns The listener for every request; the application, to be closed; and its schemas, which a test compiles.
 */
export async function createPipeline(
  options: PipelineOptions,
): Promise<{ app: FastifyInstance; handler: RequestListener; schemas: SchemaCompilers }> {
  const { platform, application, server, serveClient } = options;
  const { config, log, database, listener, clock, probeSources, about, folder, clientFolder } = platform;
  const { checks, lifecycle } = probeSources;
  const parts = collect(application);
  const trusts = trustOf(config.trustProxy);

  const app: FastifyInstance = Fastify({
    // The port has been open since before this file was loaded.
    serverFactory: () => server,
    loggerInstance: log as FastifyBaseLogger,
    // access-log.ts writes one line for each request.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: ID_LABEL }),
    genReqId: requestId,
    trustProxy: config.trustProxy && trusts,
    bodyLimit: config.http.bodyLimitBytes,
    // Requests are answered until the last connection is gone; the load balancer sends them elsewhere.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (error, request, reply) => sendEarlyError(error, request as never, reply as never),
    clientErrorHandler: answerBrokenConnection((status, socket) => observeBroken(app, status, socket)),
  });
  const schemas = new SchemaCompilers();
  app.setValidatorCompiler(schemas.validator);
  app.setSerializerCompiler(schemas.serializer);

  // Every request, in this order.
  await app.register(requestContext);
  await app.register(draining, { lifecycle });
  const max = connectionsThatFit(config.http.maxConnections, config.database.poolSize, (text) =>
    log.warn(text),
  );
  await app.register(connections, { server, max, trusts, alwaysAnswered: PROBE_PATHS, lifecycle });
  app.decorate('overload', { shed: shedCounts() });
  const { enabled } = config.metrics;
  await app.register(metrics, { enabled, database, probeSources });
  await app.register(accessLog);
  await app.register(problems);
  await app.register(jsonBodies);
  await app.register(securityHeaders, {
    hsts: config.hsts,
    fromVite: clientFolder === undefined,
    inReplitWorkspace: config.platform.replit === 'workspace',
    contentSources: parts.contentSources,
  });
  await app.register(bodyBudget, { limitBytes: config.http.bodyMemoryBytes });
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
    identity: application.identity,
    permissions: parts.permissions,
    ruleTimeoutMs: config.http.requestTimeoutMs,
  });
  await app.register(compression);
  await app.register(apiDescription, {
    ...about,
    features: application.features.map(({ name }) => name),
    userSchemes: application.identity?.securitySchemes,
  });

  // Routes that are answered in every state.
  await app.register(probes, probeSources);
  await app.register(rateLimit, {
    ...config.rateLimit,
    lifecycle,
    shared: await sharedStore(platform, app),
  });
  await app.register(status, { sources: probeSources, ...about });
  await app.register(session, { token: platform.signInToken, keyIn: placeOfKey(config, platform.settings) });
  await app.register(scrape);
  await app.register(dependencies, { resilience: platform.resilience, instance: about.instance });
  app.metricsRegistry.add(...parts.metrics);
  for (const part of parts.all) {
    const { routesInEveryState } = part;
    if (routesInEveryState) await app.register((scope) => routesInEveryState.call(part, scope, parts));
  }

  // The features: refused while overloaded, held while starting.
  await app.register(async (api) => {
    api.addHook('onRequest', (_request, reply, done) => {
      reply.header('cache-control', 'no-store');
      listener.touch();
      clock.check();
      done();
    });
    await api.register(overload, { waitedMs: () => database.waitedMs() });
    await api.register(startupHold, { lifecycle, holdMs: config.startupHoldMs });
    await api.register(handlerDeadline, { limitMs: config.http.requestTimeoutMs });
    for (const part of parts.all) {
      const { routes } = part;
      if (routes) await api.register((scope) => routes.call(part, scope, parts));
    }
  });

  // The client, for everything else.
  if (clientFolder !== undefined) await app.register(client, { folder: clientFolder });
  else await serveClient?.(app);

  const standard = [
    memoryCheck(() => app.bodyBudget.sinceRefusalMs()),
    eventLoopCheck(),
    diskCheck(folder),
    openFilesCheck(),
    systemCheck(),
  ];
  for (const check of [...standard, ...parts.checks]) checks.register(check);
  app.addHook('onClose', async () => {
    for (const part of parts.all) await part.end?.();
  });

  await app.ready();
  return { app, handler: app.routing, schemas };
}
