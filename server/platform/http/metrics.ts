/**
 * Adds one observation to each request, when its answer has been handed to the system. Without metrics there is no hook,
 * and nothing is counted.
 *
 * It stands before every route, because it looks at each as it is registered, and after `connections.ts`, which sees
 * clients leave. Answers that no hook sees are counted where they are sent (`problems.ts`),
 * so that each answer is counted once.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Database } from '../database/pool/pool.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import { counter, type Family, gauge, Metrics, summary } from '../metrics/metrics.ts';
import { Observations } from '../metrics/observations.ts';
import { type Route, type Sizes, UNKNOWN_ROUTE } from '../metrics/routes.ts';
import { by, lifecycleMetrics, processMetrics } from '../metrics/standard-metrics.ts';
import type {} from './body-budget.ts';
import type {} from './connections.ts';
import type {} from './overload.ts';
import { PROBE_PATHS } from './probes.ts';
import type {} from './rate-limit/rate-limit.ts';
import { REQUEST_ID_HEADER, requestId } from './request-context.ts';
import type {} from './security-headers.ts';

/**
 * The status of requests whose client left before the answer: nginx's number for it. Nothing was sent, so no other status
 * would tell them apart from answers.
 */
const CLIENT_LEFT = 499;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's label; its address, where this is absent. */
    countedAs?: string;
    /** It lasts as long as its client stays: it has no deadline, and its duration is in no percentile. */
    untimed?: boolean;
    /** What counts its requests, by method. Set by this plugin. */
    counted?: Record<string, Route>;
  }
  interface FastifyInstance {
    observations: Observations;
    /** What is scraped. Add metrics before the application is ready. */
    metricsRegistry: Metrics;
  }
}

export interface MetricsOptions {
  enabled: boolean;
  database: Pick<Database, 'stats' | 'observe' | 'failures'>;
  /** For the metrics of the lifecycle; absent in tests without one. */
  probeSources?: ProbeSources;
}

export const metrics = fp<MetricsOptions>(async (app, options) => {
  const { enabled, database, probeSources } = options;
  const registry = new Metrics(await clientOf(app));
  const observations = new Observations(enabled ? registry : undefined);
  app.decorate('observations', observations);
  app.decorate('metricsRegistry', registry);
  app.addHook('onClose', async () => observations.close());
  if (!enabled) return;

  registry.add(...trafficMetrics(app, database), ...processMetrics());
  if (probeSources) registry.add(...lifecycleMetrics(probeSources));
  database.observe({
    query: (text, ms, failed) => observations.query(text, ms, failed),
    acquire: (ms) => observations.acquire(ms),
  });
  const { routes } = observations;
  app.addHook('onRoute', (options) => {
    const { config, method, url } = options;
    const counted: Record<string, Route> = {};
    for (const one of [method].flat()) {
      const route = routes.of(one, config?.countedAs ?? url);
      route.probe = PROBE_PATHS.has(url);
      counted[one] = route;
    }
    options.config = { ...config, counted };
  });

  app.addHook('onResponse', (request, reply, done) => {
    // A client that has left is counted when its connection ends.
    if (reply.raw.writableFinished) observe(observations, request, reply);
    done();
  });

  // As Node answers by default, and counted.
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const headers = { ...app.securityHeaders, [REQUEST_ID_HEADER]: requestId(request) };
    response.writeHead(417, { ...headers, 'cache-control': 'no-store', 'content-length': 0 }).end();
    observations.request(routes.of(request.method ?? '', UNKNOWN_ROUTE), 417, 0, false);
  });

  app.connections.onAbandoned((request, response, ms) => {
    const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
    count(observations, request, status, ms);
  });
});

/**
 * Registers `fastify-metrics` for its Prometheus client. Its own metrics stay off: its defaults run a timer ten times a
 * second in an idle process, its routes know nothing of clients that left, and promtool faults some of their names.
 */
export async function clientOf(app: FastifyInstance) {
  const { default: outer } = await import('fastify-metrics');
  // A CommonJS package: from the sources its exports are what Node takes for the default.
  const plugin = (outer as unknown as { default?: typeof outer }).default ?? outer;
  const off = { enabled: false };
  await app.register(plugin, { endpoint: null, defaultMetrics: off, routeMetrics: off });
  return app.metrics.client;
}

/** Counts what was answered, and how large it was. */
function observe(observations: Observations, request: FastifyRequest, reply: FastifyReply): void {
  const route = count(observations, request, reply.statusCode, reply.elapsedTime);
  addSize(route.sent, reply.getHeader('content-length'));
  const length = request.headers['content-length'];
  if (length !== undefined) addSize(route.received, length);
}

function count(observations: Observations, request: FastifyRequest, status: number, ms: number): Route {
  const { config } = request.routeOptions;
  const { method } = request;
  const route = config.counted?.[method] ?? observations.routes.of(method, UNKNOWN_ROUTE);
  observations.request(route, status, ms, config.untimed !== true, request);
  return route;
}

/** Counts an answer from before a route is found, where no hook runs. */
export function observeEarly(request: FastifyRequest, reply: FastifyReply): void {
  const { observations } = request.server;
  if (observations?.enabled) observe(observations, request, reply);
}

/** Counts the answer on a broken connection: that of its current request, or of bytes that never became one. */
export function observeBroken(app: FastifyInstance, status: number, socket: Socket): void {
  const { observations, connections } = app;
  if (!observations?.enabled) return;
  const request = connections.takeRequest(socket);
  if (request) count(observations, request, status, 0);
  // When it arrived is not known.
  else observations.request(observations.routes.of('', UNKNOWN_ROUTE), status, 0, false);
}

/** @param length In bytes. A value that is no number is an unknown length, and not counted. */
function addSize(sizes: Sizes, length: unknown): void {
  const bytes = Number(length);
  if (!(bytes >= 0)) return;
  sizes.count++;
  sizes.sum += bytes;
}

/** Requests, bodies, connections, refusals and the pool. */
function trafficMetrics(app: FastifyInstance, database: MetricsOptions['database']): Family[] {
  const sizesOf = (of: 'received' | 'sent') =>
    Array.from(
      app.observations.routes.all(),
      (one) => [{ method: one.method, route: one.route }, one[of]] as const,
    ).filter(([, { count }]) => count > 0);
  return [
    gauge('http_server_active_requests', 'Requests in flight.', () => app.connections.working),
    summary('http_server_request_body_size_bytes', 'Request bodies of known length.', () =>
      sizesOf('received'),
    ),
    summary('http_server_response_body_size_bytes', 'Answer bodies of known length: streams have none.', () =>
      sizesOf('sent'),
    ),
    gauge(
      'http_server_request_body_memory_bytes',
      'Reserved for request bodies in flight.',
      () => app.bodyBudget.used,
    ),
    gauge('http_server_open_connections', 'Connections of clients.', () => app.connections.open),
    counter('http_server_closed_connections_total', 'Connections that the server closed, by reason.', () =>
      by('reason', app.connections.closed),
    ),
    counter('http_server_rate_limited_requests_total', 'Requests refused with 429, by limit.', () =>
      by('limit', app.rateLimits.refused),
    ),
    counter(
      'http_server_shed_requests_total',
      'Requests refused with 503 because of overload, by reason.',
      () => by('reason', app.overload.shed),
    ),
    gauge('db_client_connections', 'Connections of the pool, by state.', () => {
      const { total, idle } = database.stats();
      return by('state', { idle, used: total - idle });
    }),
    gauge('db_client_connections_max', 'Maximum connections of the pool.', () => database.stats().max),
    gauge(
      'db_client_pending_requests',
      'Requests that wait for a connection.',
      () => database.stats().waiting,
    ),
    counter(
      'db_client_unavailable_total',
      'Attempts to use an unreachable database.',
      () => database.failures,
    ),
  ];
}
