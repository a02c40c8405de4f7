/**
 * Refuses writes with cookies that a page of another site makes in its visitor's name.
 *
 * Browsers say where a request comes from in `Sec-Fetch-Site` and `Origin`, and no page can change either, so no token is
 * needed. A subdomain of the same site counts as another site: `blog.example.com` should not write to `app.example.com`.
 * A request without cookies acts in no visitor's name, so programs with a key are not concerned.
 *
 * It stands before the routes, because it looks at each as it is registered: reads, which are most, pay nothing. CORS
 * stands before it, so that a page of a listed origin may read the refusal.
 */
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import { isWriteMethod } from '../lib/write-method.ts';
import { isForOtherOrigins } from './cors.ts';

export interface CrossSiteWritesOptions {
  /** `PUBLIC_URL`, whose pages may write. Those of the request's own host always may. */
  origins: readonly string[];
  /** `CORS_ORIGINS`, whose pages may write to routes that are for them. */
  corsOrigins: readonly string[];
}

export const crossSiteWrites = fp<CrossSiteWritesOptions>(async (app, options) => {
  const own = new Set(options.origins);
  const all = new Set([...own, ...options.corsOrigins]);
  const checkFor =
    (allowed: ReadonlySet<string>, remedy: string): onRequestHookHandler =>
    (request, _reply, done) => {
      const { method, headers } = request;
      if (!isWriteMethod(method) || headers.cookie === undefined || mayWrite(request, allowed)) {
        done();
        return;
      }
      const page = headers.origin ?? 'another site';
      done(
        new ProblemError(
          'cross-site',
          `A page of ${page} may not write here in its visitor's name. ${remedy}`,
        ),
      );
    };
  const check = checkFor(all, 'If it is one of yours, add its origin to CORS_ORIGINS.');
  const checkOwn = checkFor(
    own,
    "Only this server's own pages may; set PUBLIC_URL to the address that visitors use.",
  );
  app.addHook('onRoute', (route) => {
    if (![route.method].flat().some(isWriteMethod)) return;
    route.onRequest = [isForOtherOrigins(route.config) ? check : checkOwn, ...[route.onRequest ?? []].flat()];
  });
});

function mayWrite(request: FastifyRequest, allowed: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined && allowed.has(origin)) return true;
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  // Every current browser sends one of the two with a write, so this is no browser.
  if (origin === undefined) return true;
  // Without the scheme: a proxy that terminates TLS may not have passed it on.
  return URL.parse(origin)?.host === request.host;
}
