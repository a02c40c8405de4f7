/**
 * Adds the security headers to every answer, as constants.
 *
 * `@fastify/helmet` works its headers out anew on each request, which costs more than all other plugins together; none
 * of ours depends on the request. So helmet is asked once, at start, and what it said is sent ever after, as one block
 * (platform/http/quick-response.ts). A route that sets one of them itself sends its own.
 *
 * It stands before everything that can refuse a request, because refusals carry the headers as well.
 */
import type { FastifyHelmetOptions } from '@fastify/helmet';
import Fastify, { type FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { HeaderBlock, sendBlock } from './quick-response.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** The headers that every answer carries, for what is answered before any hook has run. */
    securityHeaders: Readonly<Record<string, string>>;
  }
}

/** Where the page may load from. A part names further hosts in its `contentSources`. */
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

/** What a page may ask of the device: nothing that this one does not use. */
const PERMISSIONS = [
  'accelerometer',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'usb',
];

/** Where Replit's editor runs, which shows its preview in a frame. */
const REPLIT_EDITOR = ['https://replit.com', 'https://*.replit.com', 'https://*.replit.dev'];

export interface SecurityHeadersOptions {
  /** Value of `Strict-Transport-Security`, or false to send none. Sent over TLS alone: elsewhere browsers ignore it. */
  hsts: string | false;
  /** Vite's own client, which is there in development alone, needs inline parts and a web socket. */
  fromVite: boolean;
  /** Whether this is a Replit workspace, whose preview is a frame; a deployment is not. */
  inReplitWorkspace: boolean;
  /** What parts add, by directive. */
  contentSources?: readonly Readonly<Record<string, readonly string[]>>[];
}

/** helmet's configuration: the one place that decides what is sent. */
export function helmetOptions({
  fromVite,
  inReplitWorkspace,
  contentSources = [],
}: Omit<SecurityHeadersOptions, 'hsts'>): FastifyHelmetOptions {
  const directives = Object.fromEntries(
    Object.entries(CONTENT_SOURCES).map(([name, from]) => [name, [...from]]),
  );
  if (fromVite) {
    directives['style-src'] = ["'self'", "'unsafe-inline'"];
    directives['connect-src'] = ["'self'", 'ws:'];
    directives['script-src'] = ["'self'", "'unsafe-inline'"];
    // With a worker it finds out when a restarted server answers again.
    directives['worker-src'] = ["'self'", 'blob:'];
  }
  if (inReplitWorkspace) directives['frame-ancestors'] = ["'self'", ...REPLIT_EDITOR];
  for (const [name, hosts] of contentSources.flatMap(Object.entries<readonly string[]>)) {
    const own = directives[name] ?? directives['default-src'] ?? [];
    directives[name] = [...own.filter((one) => one !== "'none'"), ...hosts];
  }
  return {
    contentSecurityPolicy: { useDefaults: false, directives },
    // The older header knows no list of hosts.
    frameguard: inReplitWorkspace ? false : { action: 'deny' },
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    // Sent by us as it is configured: helmet would take it apart and put it together again.
    strictTransportSecurity: false,
  };
}

/** @returns Every security header but HSTS, worked out by helmet. */
export async function securityHeaderBlock(
  options: Omit<SecurityHeadersOptions, 'hsts'>,
): Promise<Record<string, string>> {
  const { default: helmet } = await import('@fastify/helmet');
  const probe = Fastify();
  await probe.register(helmet, helmetOptions(options));
  probe.get('/', async () => null);
  const { headers } = await probe.inject('/');
  await probe.close();
  const own = new Set(['content-length', 'date', 'connection', 'content-type']);
  const block = Object.entries(headers).flatMap(([name, value]) =>
    own.has(name) ? [] : [[name, String(value)]],
  );
  block.push(['permissions-policy', PERMISSIONS.map((name) => `${name}=()`).join(', ')]);
  return Object.fromEntries(block);
}

export const securityHeaders = fp<SecurityHeadersOptions>(async (app, { hsts, ...options }) => {
  const always = await securityHeaderBlock(options);
  app.decorate('securityHeaders', always);
  const plain = new HeaderBlock(always);
  const overTls = hsts ? new HeaderBlock({ ...always, 'strict-transport-security': hsts }) : plain;
  app.addHook('onRequest', (request, reply, done) => {
    sendBlock(reply, overTls !== plain && isOverTls(request) ? overTls : plain);
    done();
  });
});

/** TLS ends at a proxy; whether what it says is believed is for `TRUST_PROXY` to decide. */
function isOverTls(request: FastifyRequest): boolean {
  return request.headers['x-forwarded-proto'] !== undefined && request.protocol === 'https';
}
