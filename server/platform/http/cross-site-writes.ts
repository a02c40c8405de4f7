/**
 * Refuses writes that a page of another site makes in its visitor's name: those that carry cookies.
 *
 * Browsers say where a request comes from in `Sec-Fetch-Site` and `Origin`, and no page can change either, so no token
 * is needed. A subdomain of the same site is another site here: who controls `blog.example.com` should not write to
 * `app.example.com`. Without cookies nothing is done in anybody's name, so programs with a key are not concerned.
 *
 * It stands before the routes, because it looks at each as it is registered: reads, which are most, pay nothing. CORS
 * stands before it, so that a page of a listed origin may read what it is told.
 */
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import { isForOtherOrigins } from './cors.ts';

export interface CrossSiteWritesOptions {
  /** `PUBLIC_URL`, whose pages may write, as those of the host that was asked always may. */
  origins: readonly string[];
  /** `CORS_ORIGINS`, whose pages may write to routes that are for them. */
  corsOrigins: readonly string[];
}

export const crossSiteWrites = fp<CrossSiteWritesOptions>(async (app, options) => {
  const own = new Set(options.origins);
  const all = new Set([...own, ...options.corsOrigins]);
  const checkFor =
    (known: ReadonlySet<string>, remedy: string): onRequestHookHandler =>
    (request, _reply, done) => {
      const { method, headers } = request;
      if (isRead(method) || headers.cookie === undefined || mayWrite(request, known)) {
        done();
        return;
      }
      done(
        new ProblemError(
          'cross-site',
          `A page of ${headers.origin ?? 'another site'} may not write here in its visitor's name. ${remedy}`,
        ),
      );
    };
  const check = checkFor(all, 'If it is one of yours, add its origin to CORS_ORIGINS.');
  const checkOwn = checkFor(
    own,
    "Only this server's own pages may; set PUBLIC_URL to the address that visitors use.",
  );
  app.addHook('onRoute', (route) => {
    if ([route.method].flat().every(isRead)) return;
    route.onRequest = [isForOtherOrigins(route.config) ? check : checkOwn, ...[route.onRequest ?? []].flat()];
  });
});

const isRead = (method: string) => method === 'GET' || method === 'HEAD';

function mayWrite(request: FastifyRequest, known: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined && known.has(origin)) return true;
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  // Every browser of this decade sends one of the two with a write, so this is none.
  if (origin === undefined) return true;
  // Hosts are compared, without the scheme: a proxy that ends TLS may not have told us of it.
  return URL.parse(origin)?.host === request.host;
}
