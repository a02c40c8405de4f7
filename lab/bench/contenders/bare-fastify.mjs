/** Fastify as its README shows it, and nothing else: what everything is compared with. */
import Fastify from 'fastify';
import { STATUS, STATUS_SCHEMA } from './status.ts';

const app = Fastify();
app.get('/', async () => ({ hello: 'world' }));
app.get('/api/status', { schema: { response: { 200: STATUS_SCHEMA } } }, async () => STATUS);
if (process.env.DATABASE_URL) {
  const { byNamedStatement, PAGE_SCHEMA } = await import('./notes.ts');
  const page = byNamedStatement(process.env.DATABASE_URL);
  app.get('/api/notes', { schema: PAGE_SCHEMA }, ({ query }) => page(query.limit));
}
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
