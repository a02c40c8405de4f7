import type { IncomingMessage, RequestListener, Server } from 'node:http';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import {
  diskCheck,
  eventLoopCheck,
  memoryCheck,
  openFilesCheck,
  systemCheck,
} from '../health/standard-checks.ts';
import { connectionsThatFit } from '../lib/open-files.ts';
import type { Application, Brought, Part, Platform } from '../parts.ts';
import { access } from './access/access.ts';
import { placeOfKey, session } from './access/session.ts';
import { accessLog } from './access-log.ts';
import { allowedHosts } from './allowed-hosts.ts';
import { apiDescription } from './api-description/api-description.ts';
import { bodyBudget } from './body-budget.ts';
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
import { scrape } from './scrape.ts';
import { securityHeaders } from './security-headers.ts';
import { startupHold } from './startup-hold.ts';
import { status } from './status.ts';
import { trustOf } from './trust.ts';
import { trustedProxies } from './trusted-proxies.ts';

/** What lines of log call the id of a request. */
const ID_LABEL = 'requestId';

export interface PipelineOptions {
  platform: Platform;
  application: Application;
  /** The server whose port is open already. */
  server: Server;
  /** The built client; or, in development, how Vite serves it. */
  clientFrom: { folder: string } | { serve(app: FastifyInstance): Promise<void> };
}

/**
 * The life of a request, from top to bottom: each plugin's first comment says what it adds and why it stands where it stands.
 * `server/app.ts` says which modules and features there are.
 *
 * @returns The listener that answers every request; the application, to end what the plugins hold; and its schemas, which are
 *   compiled when they are needed, to be compiled ahead of that.
 */
export async function createPipeline(
  options: PipelineOptions,
): Promise<{ app: FastifyInstance; handler: RequestListener; schemas: SchemaCompilers }> {
  const { platform, application, server, clientFrom } = options;
  const { config, log, database, probeSources, about, folder } = platform;
  const { checks, lifecycle } = probeSources;
  const parts = collect(application);
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
  const schemas = new SchemaCompilers();
  app.setValidatorCompiler(schemas.validator);
  app.setSerializerCompiler(schemas.serializer);

  // Every request, in this order.
  await app.register(requestContext);
  await app.register(draining, { lifecycle });
  const most = connectionsThatFit(config.http.maxConnections, config.database.poolSize, (text) =>
    log.warn(text),
  );
  await app.register(connections, { server, most, trusts, alwaysAnswered: PROBE_PATHS, lifecycle });
  app.decorate('overload', new OverloadFacts());
  const { enabled } = config.metrics;
  await app.register(metrics, { enabled, database, probeSources });
  await app.register(accessLog);
  await app.register(problems);
  await app.register(jsonBodies);
  await app.register(securityHeaders, {
    hsts: config.hsts,
    fromVite: 'serve' in clientFrom,
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
    ruleTimeoutMs: config.http.requestTimeoutMs,
  });
  await app.register(compression);
  await app.register(apiDescription, {
    ...about,
    clientFolder: 'folder' in clientFrom ? clientFrom.folder : undefined,
  });

  // Answered in every state.
  await app.register(probes, probeSources);
  await app.register(rateLimit, {
    ...config.rateLimit,
    lifecycle,
    shared: await sharedLimits(platform, app),
  });
  await app.register(status, { sources: probeSources, ...about });
  await app.register(session, { token: platform.signInToken, keyIn: placeOfKey(config, platform.settings) });
  await app.register(scrape);
  app.metricsRegistry.add(...parts.metrics);
  for (const part of parts.all) {
    const { routesInEveryState } = part;
    if (routesInEveryState) await app.register((scope) => routesInEveryState.call(part, scope, parts));
  }

  // The API: held while starting, refused quickly while the database is away.
  await app.register(async (api) => {
    api.addHook('onRequest', (_request, reply, done) => {
      sendNotStored(reply);
      done();
    });
    await api.register(startupHold, { lifecycle, holdMs: config.startupHoldMs });
    await api.register(handlerDeadline, { limitMs: config.http.requestTimeoutMs });
    await api.register(overload, { waitedMs: () => database.waitedMs() });
    for (const part of parts.all) {
      const { routes } = part;
      if (routes) await api.register((scope) => routes.call(part, scope));
    }
  });

  // The client, for whatever is left.
  if ('folder' in clientFrom) await app.register(client, clientFrom);
  else await clientFrom.serve(app);

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

/**
 * What all parts bring, together.
 *
 * @throws Error where two parts, or two alert rules or findings, have one name.
 */
function collect({ modules, features, checks = [] }: Application) {
  const all: readonly Part[] = [...modules, ...features];
  const once = <Item extends { readonly name: string }>(kind: string, items: readonly Item[]) => {
    const twice = items.find(({ name }, index) => items.findIndex((one) => one.name === name) !== index);
    if (twice) throw new Error(`Two ${kind} are called '${twice.name}': rename one of them.`);
    return items;
  };
  return {
    all: once('parts', all),
    checks: [...checks, ...all.flatMap((part) => part.checks ?? [])],
    metrics: all.flatMap((part) => part.metrics ?? []),
    contentSources: all.map((part) => part.contentSources ?? {}),
    alertRules: once(
      'alert rules',
      all.flatMap((part) => part.alertRules ?? []),
    ),
    findings: once(
      'findings',
      all.flatMap((part) => part.findings ?? []),
    ),
  } satisfies Brought & Record<string, unknown>;
}

/** Where the limits of all replicas are counted, if they are counted together. */
async function sharedLimits(
  { config, database, log, probeSources: { checks } }: Platform,
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
