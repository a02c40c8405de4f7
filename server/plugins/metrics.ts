/**
 * Adds one observation to each request, when its answer has been handed to the system: `app.traffic` holds what came of
 * it. Without metrics there is no hook, and `app.traffic` says nothing.
 *
 * It stands before every route, because it gives each its place as it is registered, and behind `connections.ts`, which
 * knows of the clients that leave. What is answered without a hook is counted by who answers it (`problems.ts`,
 * `quick-files.ts`, `overload.ts`), so that whatever was sent is counted once.
 */
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Database } from '../database/pool.ts';
import { pathOf } from '../lib/problem.ts';
import { type Route, type Sizes, UNKNOWN_ROUTE } from '../monitoring/routes.ts';
import { Traffic, type TrafficSources } from '../monitoring/traffic.ts';
import type {} from './connections.ts';
import type {} from './overload.ts';
import type {} from './rate-limit.ts';

/**
 * What a request is counted as whose client left before its answer: nginx's number for it. Nothing was sent, so that no
 * status of ours could tell these apart from answers.
 */
export const CLIENT_LEFT = 499;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The name that it is counted under; as it is registered, where nothing is said. */
    countedAs?: string;
    /** It lasts as long as somebody looks: its duration is in no percentile. */
    unhurried?: boolean;
    /** Where its requests are counted, by method. Set by this plugin. */
    counted?: Record<string, Route>;
  }
  interface FastifyInstance {
    traffic: Traffic;
  }
}

export interface MetricsOptions {
  enabled: boolean;
  /** The name of this process. */
  instance: string;
  database: Database;
}

export const metrics = fp<MetricsOptions>(async (app, { enabled, instance, database }) => {
  const sum = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  const sources: TrafficSources = {
    instance,
    connections: () => app.connections,
    pool: () => database.stats(),
    refused: () => ({
      // The limits come later in the list than the figures do.
      rateLimited: sum(app.rateLimits?.refused ?? {}),
      shed: sum(app.overload.shed),
    }),
  };
  const traffic = new Traffic(sources, enabled);
  app.decorate('traffic', traffic);
  app.addHook('onClose', async () => traffic.close());
  if (!enabled) return;

  const { routes } = traffic;
  app.addHook('onRoute', (options) => {
    const { config, method, url } = options;
    const counted: Record<string, Route> = {};
    for (const one of [method].flat()) counted[one] = routes.of(one, config?.countedAs ?? url);
    options.config = { ...config, counted };
  });

  app.addHook('onResponse', (request, reply, done) => {
    // A client that has left is counted when its connection ends.
    if (reply.raw.writableFinished) observe(traffic, request, reply);
    done();
  });

  app.connections.onAbandoned = (request, response, ms) => {
    const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
    count(traffic, request, status, ms);
  };
});

/** Counts what was answered, and how large it was. */
function observe(traffic: Traffic, request: FastifyRequest, reply: FastifyReply): void {
  const route = count(traffic, request, reply.statusCode, reply.elapsedTime);
  addSize(route.sent, reply.getHeader('content-length'));
  const length = request.headers['content-length'];
  if (length !== undefined) addSize(route.received, length);
}

function count(traffic: Traffic, request: FastifyRequest, status: number, ms: number): Route {
  const { config } = request.routeOptions;
  const { method } = request;
  const route = config.counted?.[method] ?? traffic.routes.of(method, UNKNOWN_ROUTE);
  const hurried = config.unhurried !== true;
  traffic.observe(route, status, ms, hurried);
  if (hurried && ms > traffic.slowRequests.bar) {
    const path = pathOf(request.url);
    const { method: label, route: name } = route;
    traffic.slowRequests.add({
      at: Date.now(),
      ms,
      requestId: request.id,
      method: label,
      route: name,
      path,
      status,
    });
  }
  return route;
}

/** Counts a request that is answered before a route was found, where no hook runs. */
export function observeEarly(request: FastifyRequest, reply: FastifyReply): void {
  const { traffic } = request.server;
  if (traffic?.enabled) observe(traffic, request, reply);
}

/** Counts what is answered on a connection that broke: the request that it was at work on, or one that never was one. */
export function observeBroken(app: FastifyInstance, status: number, socket: Socket): void {
  const { traffic, connections } = app;
  if (!traffic?.enabled) return;
  const request = connections.takeRequest(socket);
  if (request) count(traffic, request, status, 0);
  // Nobody knows when it came: what counts is that it did.
  else traffic.observe(traffic.routes.of('', UNKNOWN_ROUTE), status, 0, false);
}

function addSize(sizes: Sizes, length: unknown): void {
  const bytes = Number(length);
  if (!(bytes >= 0)) return;
  sizes.count++;
  sizes.bytes += bytes;
}
