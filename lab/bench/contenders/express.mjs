/** Express 5 with the same features, by the packages that its users take for them. */
import { randomUUID } from 'node:crypto';
import * as prometheus from '@prometheus-io/client';
import compression from 'compression';
import cors from 'cors';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { pinoHttp } from 'pino-http';
import { LARGE, STATUS } from './status.ts';

const app = express();
// The others make no tag of an answer either.
app.disable('etag');
const seconds = new prometheus.Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of requests',
  labelNames: ['method', 'route', 'status_code'],
});
app.use((request, response, next) => {
  const end = seconds.startTimer();
  response.on('finish', () => {
    end({ method: request.method, route: request.route?.path ?? 'none', status_code: response.statusCode });
  });
  next();
});
app.use(
  pinoHttp({
    genReqId: (_request, response) => {
      const id = randomUUID();
      response.setHeader('x-request-id', id);
      return id;
    },
  }),
);
app.use(helmet());
app.use(cors({ origin: 'https://app.example.com' }));
app.use(compression());
app.use(
  rateLimit({ windowMs: 60_000, limit: 1_000_000_000, standardHeaders: 'draft-8', legacyHeaders: false }),
);
app.get('/api/status', (_request, response) => void response.json(STATUS));
app.get('/large', (_request, response) => void response.json(LARGE));
if (process.env.DATABASE_URL) {
  const { byDrizzle } = await import('./notes.ts');
  const page = byDrizzle(process.env.DATABASE_URL);
  app.get('/api/notes', async (request, response) => {
    response.json(await page(Number(request.query.limit)));
  });
}
app.get('/metrics', async (_request, response) => {
  response.type(prometheus.register.contentType).send(await prometheus.register.metrics());
});
app.listen(Number(process.env.PORT), '127.0.0.1');
