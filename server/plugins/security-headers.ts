/**
 * Adds the security headers to every answer, as constants.
 *
 * `@fastify/helmet` works its headers out anew on each request, which costs more than all other plugins together; none
 * of ours depends on the request. So helmet is asked once, at start, and what it said is sent ever after.
 */
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import Fastify from 'fastify';
import fp from 'fastify-plugin';

/** Where the page may load from. A clone adds its sources here, and nowhere else. */
export const CONTENT_SOURCES: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'manifest-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
};

export interface SecurityHeadersOptions {
  /** Value of `Strict-Transport-Security`, or false to send none. */
  hsts: string | false;
  /** Vite's own client, which is there in development alone, needs inline parts and a web socket. */
  fromVite: boolean;
}

/** helmet's configuration: the one place that decides what is sent. */
export function helmetOptions({ fromVite }: Pick<SecurityHeadersOptions, 'fromVite'>): FastifyHelmetOptions {
  const directives = Object.fromEntries(
    Object.entries(CONTENT_SOURCES).map(([name, from]) => [name, [...from]]),
  );
  if (fromVite) {
    directives['style-src'] = ["'self'", "'unsafe-inline'"];
    directives['connect-src'] = ["'self'", 'ws:'];
    directives['script-src'] = ["'self'", "'unsafe-inline'"];
  }
  return {
    contentSecurityPolicy: { useDefaults: false, directives },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
    // Sent by us as it is configured: helmet would take it apart and put it together again.
    strictTransportSecurity: false,
  };
}

/** @returns Every security header as a `[name, value]` pair, worked out by helmet. */
export async function securityHeaderBlock(options: SecurityHeadersOptions): Promise<[string, string][]> {
  const probe = Fastify();
  await probe.register(helmet, helmetOptions(options));
  probe.get('/', async () => null);
  const { headers } = await probe.inject('/');
  await probe.close();
  const own = new Set(['content-length', 'date', 'connection', 'content-type']);
  const block: [string, string][] = Object.entries(headers)
    .filter(([name]) => !own.has(name))
    .map(([name, value]) => [name, String(value)]);
  block.push(['permissions-policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()']);
  if (options.hsts) block.push(['strict-transport-security', options.hsts]);
  return block;
}

export const securityHeaders = fp<SecurityHeadersOptions>(async (app, options) => {
  const block = await securityHeaderBlock(options);
  app.addHook('onRequest', (_request, reply, done) => {
    const { raw } = reply;
    for (const [name, value] of block) raw.setHeader(name, value);
    done();
  });
});
