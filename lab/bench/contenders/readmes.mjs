/** Fastify with the packages of this template, wired as the README of each shows it. */
import { randomUUID } from 'node:crypto';
import compress from '@fastify/compress';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import files from '@fastify/static';
import Fastify from 'fastify';
import metrics from 'fastify-metrics';
import { LARGE, STATUS, STATUS_SCHEMA } from './status.ts';

const app = Fastify({ logger: true, genReqId: () => randomUUID() });
await app.register(helmet);
await app.register(cors, { origin: 'https://app.example.com' });
await app.register(compress);
await app.register(rateLimit, { max: 1_000_000_000, timeWindow: '1 minute' });
await app.register(files, { root: import.meta.dirname, prefix: '/files/' });
await app.register(metrics.default ?? metrics, { endpoint: '/metrics' });
app.addHook('onSend', async (request, reply) => {
  reply.header('x-request-id', request.id);
});
app.get('/api/status', { schema: { response: { 200: STATUS_SCHEMA } } }, async () => STATUS);
app.get('/large', async () => LARGE);
if (process.env.DATABASE_URL) {
  const { byDrizzle, PAGE_SCHEMA } = await import('./notes.ts');
  const page = byDrizzle(process.env.DATABASE_URL);
  app.get('/api/notes', { schema: PAGE_SCHEMA }, ({ query }) => page(query.limit));
}
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
