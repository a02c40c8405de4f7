/**
 * Fastify with the first so many plugins of `server/app.ts`: `node one-more-plugin.ts <how many>` says on standard error
 * what a request takes, over streams in memory. For `npm run bench shares`.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { createDatabase } from '../../../server/platform/database/pool/pool.ts';
import { HealthChecks } from '../../../server/platform/health/health-checks.ts';
import { Lifecycle } from '../../../server/platform/health/lifecycle.ts';
import { access } from '../../../server/platform/http/access/access.ts';
import { accessLog } from '../../../server/platform/http/access-log.ts';
import { compression } from '../../../server/platform/http/compression.ts';
import { connections } from '../../../server/platform/http/connections.ts';
import { cors } from '../../../server/platform/http/cors.ts';
import { crossSiteWrites } from '../../../server/platform/http/cross-site-writes.ts';
import { handlerDeadline } from '../../../server/platform/http/handler-deadline.ts';
import { jsonBodies } from '../../../server/platform/http/json-bodies.ts';
import { metrics } from '../../../server/platform/http/metrics.ts';
import { overload, shedCounts } from '../../../server/platform/http/overload.ts';
import { problems } from '../../../server/platform/http/problems.ts';
import { rateLimit } from '../../../server/platform/http/rate-limit/rate-limit.ts';
import { requestContext, requestId } from '../../../server/platform/http/request-context.ts';
import { SchemaCompilers } from '../../../server/platform/http/schemas.ts';
import { securityHeaders } from '../../../server/platform/http/security-headers.ts';
import { startupHold } from '../../../server/platform/http/startup-hold.ts';
import { trustedProxies } from '../../../server/platform/http/trusted-proxies.ts';
import { settleShapes } from '../../../server/platform/lib/settled-shapes.ts';
import { createLogger } from '../../../server/platform/logging/logger.ts';
import { STATUS, STATUS_SCHEMA } from './status.ts';

const BATCHES = 30;
const BATCH = 3_000;
const CONNECTIONS = 64;
const REQUEST = Buffer.from('GET /api/status HTTP/1.1\r\nHost: bench\r\n\r\n');

const lifecycle = new Lifecycle([]);
const probeSources = {
  lifecycle,
  checks: new HealthChecks(() => {}),
  version: '0',
  environment: 'bench',
};
const database = createDatabase(
  {
    connection: { connectionString: 'postgres://nobody@127.0.0.1:1/none' },
    poolSize: 1,
    idleTimeoutMs: 1_000,
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 1_000,
    preparedStatements: true,
    applicationName: 'bench',
  },
  { debug() {}, info() {}, warn() {} },
);

interface Share {
  name: string;
  /** Why it is worth what it costs. */
  why: string;
  add(app: FastifyInstance, server: Server): unknown;
}

/** The first is bare Fastify, the second the options that it is made with. */
export const SHARES: readonly Share[] = [
  { name: 'bare Fastify', why: '', add() {} },
  {
    name: 'the options: ids, a logger for each request',
    why: 'every line of log and every problem names its request',
    add() {},
  },
  {
    name: 'request-context',
    why: '`X-Request-Id` leads from an answer to its lines of log',
    add: (app) => app.register(requestContext),
  },
  {
    name: 'connections',
    why: 'slow clients and floods of connections are let go',
    add: (app, server) =>
      app.register(connections, { server, max: 10_000, alwaysAnswered: new Set<string>(), lifecycle }),
  },
  {
    name: 'metrics',
    why: 'rates, errors and percentiles of every route, without which nobody sees an outage',
    add(app) {
      app.decorate('overload', { shed: shedCounts() });
      return app.register(metrics, { enabled: true, database, probeSources });
    },
  },
  {
    name: 'access-log',
    why: 'one line for each request, the only trace of most of them',
    add: (app) => app.register(accessLog),
  },
  {
    name: 'security-headers',
    why: 'a strict policy on every answer; A+ at MDN Observatory',
    add: (app) =>
      app.register(securityHeaders, { hsts: 'max-age=31536000', fromVite: false, inReplitWorkspace: false }),
  },
  {
    name: 'cors, with an origin listed',
    why: 'only where `CORS_ORIGINS` is set',
    add: (app) => app.register(cors, { origins: ['https://app.example.com'] }),
  },
  {
    name: 'problems, json-bodies, cross-site-writes, access, compression',
    why: 'each looks at routes as they are registered: a read of a public route pays nothing',
    async add(app) {
      await app.register(problems);
      await app.register(jsonBodies);
      await app.register(crossSiteWrites, { origins: [], corsOrigins: [] });
      await app.register(access, { keys: [] });
      await app.register(compression);
    },
  },
  {
    name: 'trusted-proxies',
    why: 'says once why all visitors share one limit',
    add: (app) => app.register(trustedProxies, { ranges: false, trusts: () => false }),
  },
  {
    name: 'rate-limit',
    why: 'no client takes more than its share, and each is told where it stands',
    add: (app) => app.register(rateLimit, { max: 1_000_000_000, windowMs: 60_000, lifecycle }),
  },
  {
    name: 'startup-hold',
    why: 'a visitor of a cold start waits instead of failing',
    add: (app) => app.register(startupHold, { lifecycle, holdMs: 10_000 }),
  },
  {
    name: 'handler-deadline',
    why: 'nobody waits for ever, and no query begins for who has gone; features alone have it',
    add: (app) => app.register(handlerDeadline, { limitMs: 30_000 }),
  },
  {
    name: 'overload',
    why: 'a flood is refused in time to serve the others; features alone have it',
    add: (app) => app.register(overload, { waitedMs: () => 0 }),
  },
];

/** A connection whose other end is this file: it asks again as soon as it is answered. */
class Line extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly bytesRead = 1;
  readonly bytesWritten = 1;
  readonly #answered: () => boolean;

  constructor(answered: () => boolean) {
    super({ decodeStrings: false });
    this.#answered = answered;
  }

  ask(): void {
    this.push(REQUEST);
  }
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
    if (this.#answered()) setImmediate(() => this.ask());
  }
  setTimeout(): this {
    return this;
  }
  setNoDelay(): void {}
}

async function application(howMany: number): Promise<{ server: Server; log: { flush(): void } | undefined }> {
  // Or chance would decide which rows have the luck of it.
  settleShapes();
  if (howMany === 0) {
    const app = Fastify();
    app.get('/api/status', { schema: { response: { 200: STATUS_SCHEMA } } }, async () => STATUS);
    await app.ready();
    return { server: createServer(app.routing as RequestListener), log: undefined };
  }
  const server = createServer();
  const logger = await createLogger({ level: 'info', file: undefined, fileMaxBytes: 0, fileCount: 0 }, false);
  const app: FastifyInstance = Fastify({
    serverFactory: () => server,
    loggerInstance: logger.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestId,
  });
  const schemas = new SchemaCompilers();
  app.setValidatorCompiler(schemas.validator);
  app.setSerializerCompiler(schemas.serializer);
  for (const share of SHARES.slice(1, howMany + 1)) await share.add(app, server);
  const schema = { response: { 200: STATUS_SCHEMA } };
  app.get('/api/status', { config: { access: 'public' }, schema }, async () => STATUS);
  await app.ready();
  server.on('request', app.routing as RequestListener);
  return { server, log: logger };
}

async function measure(howMany: number): Promise<number> {
  const { server } = await application(howMany);
  lifecycle.to('ready');
  server.keepAliveTimeout = 65_000;
  let answered = 0;
  let done = () => {};
  const lines = Array.from({ length: CONNECTIONS }, () => {
    const line = new Line(() => {
      if (++answered === BATCH) done();
      return answered < BATCH;
    });
    server.emit('connection', line);
    return line;
  });
  let best = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < BATCHES; batch++) {
    answered = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    done = resolve;
    const began = performance.now();
    for (const line of lines) line.ask();
    await promise;
    best = Math.min(best, ((performance.now() - began) * 1_000) / BATCH);
    // The rest of the batch, and what was put off until later.
    await new Promise((turn) => setTimeout(turn, 5));
  }
  return best;
}

if (import.meta.main) {
  const us = await measure(Number(process.argv[2]));
  process.stderr.write(`${us.toFixed(3)} µs\n`, () => process.exit());
}
