/**
 * Warns once of a proxy in front that is not trusted: then every visitor seems to come from the proxy.
 *
 * Fastify decides whether `X-Forwarded-*` is believed, by the address that connects (`trustProxy` in pipeline.ts). Its place
 * in the pipeline does not matter.
 */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** The first untrusted address that sent `X-Forwarded-For`, if any. */
    untrustedProxy: string | undefined;
  }
}

export interface TrustedProxiesOptions {
  /** `TRUST_PROXY`. */
  ranges: readonly string[] | false;
  trusts: (address: string | undefined) => boolean;
}

export const trustedProxies = fp<TrustedProxiesOptions>(async (app: FastifyInstance, { ranges, trusts }) => {
  app.decorate('untrustedProxy', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    if (!app.untrustedProxy && request.headers['x-forwarded-for'] && !trusts(request.socket.remoteAddress)) {
      app.untrustedProxy = request.ip;
      const now = ranges ? `is ${ranges.join(',')}` : 'is not set';
      app.log.warn(
        { peer: request.ip },
        `${request.ip} sends X-Forwarded-For and is not trusted: TRUST_PROXY ${now}. If it is your proxy, ` +
          'all visitors share one rate limit; set TRUST_PROXY to its address or range.',
      );
    }
    done();
  });
});
