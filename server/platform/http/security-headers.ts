/**
 * Adds the security headers to every answer.
 *
 * `@fastify/helmet` computes its headers anew for each request, which costs more than all other plugins together, and none
 * of ours depends on the request. So helmet answers one request at start, and its headers are sent with every answer. A
 * route that sets one of them itself sends its own.
 *
 * It stands before everything that can refuse a request, because refusals carry the headers as well.
 */
import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyHelmetOptions } from '@fastify/helmet';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';

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
  // No string becomes HTML, script or the address of a script: nothing in the client needs that.
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ["'none'"],
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
  /** Value of `Strict-Transport-Security`; false sends none. Only sent over TLS: elsewhere browsers ignore it. */
  hsts: string | false;
  /** Vite's own client, in development, needs inline scripts and styles, a web socket, and HTML from strings. */
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
    delete directives['require-trusted-types-for'];
    delete directives['trusted-types'];
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
    // No current browser needs these four (docs/decisions/0028-documented-interfaces.md).
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
    xDnsPrefetchControl: false,
    // Sent as it is configured, by the hook below.
    strictTransportSecurity: false,
  };
}

/** @returns Every security header but HSTS: what `@fastify/helmet` answers a request with. */
async function securityHeaderBlock(
  options: Omit<SecurityHeadersOptions, 'hsts'>,
): Promise<Record<string, string>> {
  const [{ default: helmet }, { default: Fastify }] = await Promise.all([
    import('@fastify/helmet'),
    import('fastify'),
  ]);
  const probe = Fastify();
  await probe.register(helmet, helmetOptions(options));
  const answered = Promise.withResolvers<OutgoingHttpHeaders>();
  probe.get('/', (_request, reply) => {
    reply.hijack();
    answered.resolve(reply.raw.getHeaders());
  });
  await probe.ready();
  // Not `inject`: loading what it needs takes 10 ms of the start.
  const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/' });
  probe.routing(request, new ServerResponse(request));
  const headers = Object.entries(await answered.promise).map(([name, value]) => [name, String(value)]);
  await probe.close();
  headers.push(['permissions-policy', PERMISSIONS.map((name) => `${name}=()`).join(', ')]);
  return Object.fromEntries(headers);
}

export const securityHeaders = fp<SecurityHeadersOptions>(async (app, { hsts, ...options }) => {
  const always = await securityHeaderBlock(options);
  app.decorate('securityHeaders', always);
  // One by one from a list: `reply.headers` takes a fifth longer.
  const headers = Object.entries(always);
  app.addHook('onRequest', (request, reply, done) => {
    for (const [name, value] of headers) reply.header(name, value);
    if (hsts && isOverTls(request)) reply.header('strict-transport-security', hsts);
    done();
  });
});

/** TLS ends at a proxy; `TRUST_PROXY` decides whether its header is believed. */
function isOverTls(request: FastifyRequest): boolean {
  return request.headers['x-forwarded-proto'] !== undefined && request.protocol === 'https';
}
