/**
 * Notes which routes write and say nothing about who may, for the list of what is missing for production. It adds nothing
 * to a request, and stands before every route because it looks at each as it is registered.
 */
import fp from 'fastify-plugin';
import { accessOf } from './access/access.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** As `POST /api/notes`. */
    unguardedWrites: readonly string[];
  }
}

const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

export const unguardedWrites = fp(async (app) => {
  const found: string[] = [];
  app.decorate('unguardedWrites', found);
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.access !== undefined || accessOf({ url, config }) !== 'public') return;
    for (const one of [method].flat()) if (WRITES.has(one)) found.push(`${one} ${url}`);
  });
});
