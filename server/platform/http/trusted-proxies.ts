/**
 * Says once when a proxy stands in front that is not trusted: then every visitor seems to come from the proxy.
 *
 * Whether `X-Forwarded-*` is believed is decided by Fastify, by the address of the one who connects (`trustProxy` in
 * app.ts); this adds nothing to a request but a look at one header, until it has spoken. It stands anywhere.
 */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** The first that sent `X-Forwarded-For` and is not trusted; undefined where none has. */
    untrustedProxy: string | undefined;
  }
}

export interface TrustedProxiesOptions {
  /** `TRUST_PROXY`, and what it makes of an address. */
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
