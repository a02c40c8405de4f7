/** Hono on Node with the same features but compression, which its Node adapter leaves to a proxy. */
import { serve } from '@hono/node-server';
import * as prometheus from '@prometheus-io/client';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { pino } from 'pino';
import { STATUS } from './status.ts';

const app = new Hono();
const log = pino();
const seconds = new prometheus.Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of requests',
  labelNames: ['method', 'route', 'status_code'],
});
const windows = new Map();
const MAX_REQUESTS = 1_000_000_000;
app.use(requestId());
app.use(async (c, next) => {
  const end = seconds.startTimer();
  const began = performance.now();
  await next();
  const { method, path } = c.req;
  const status = c.res.status;
  end({ method, route: path, status_code: status });
  log.info(
    { requestId: c.get('requestId'), method, path, status, durationMs: performance.now() - began },
    'request',
  );
});
app.use(secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'none'"] } }));
app.use(cors({ origin: 'https://app.example.com' }));
app.use(async (c, next) => {
  const now = performance.now();
  const client = c.env.incoming.socket.remoteAddress;
  let window = windows.get(client);
  if (window === undefined || window.endsAt <= now) {
    window = { hits: 0, endsAt: now + 60_000 };
    windows.set(client, window);
  }
  if (++window.hits > MAX_REQUESTS) return c.text('too many requests', 429);
  await next();
  c.header('ratelimit-policy', `"default";q=${MAX_REQUESTS};w=60`);
  c.header(
    'ratelimit',
    `"default";r=${MAX_REQUESTS - window.hits};t=${Math.ceil((window.endsAt - now) / 1_000)}`,
  );
});
app.get('/api/status', (c) => c.json(STATUS));
app.get('/metrics', async (c) => c.text(await prometheus.register.metrics()));
serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' });
