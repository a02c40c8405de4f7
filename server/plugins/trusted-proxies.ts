/**
 * Says once when a proxy stands in front that is not trusted: then every visitor seems to come from the proxy.
 *
 * Whether `X-Forwarded-*` is believed is decided by Fastify, by the address of the one who connects (`trustProxy` in
 * app.ts); this adds nothing to a request but a look at one header, until it has spoken. It stands anywhere.
 */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface TrustedProxiesOptions {
  /** `TRUST_PROXY`, and what it makes of an address. */
  ranges: readonly string[] | false;
  trusts: (address: string | undefined) => boolean;
}

export const trustedProxies = fp<TrustedProxiesOptions>(async (app: FastifyInstance, { ranges, trusts }) => {
  let said = false;
  app.addHook('onRequest', (request, _reply, done) => {
    if (!said && request.headers['x-forwarded-for'] && !trusts(request.socket.remoteAddress)) {
      said = true;
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
