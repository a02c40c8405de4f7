/**
 * Refuses requests under a `Host` that is not in `ALLOWED_HOSTS`: a foreign name that leads here, by mistake or to make a
 * browser take this server for the name's own (DNS rebinding).
 *
 * It stands before the routes. Probes are exempt, because platforms request them by address. Without `ALLOWED_HOSTS` it
 * adds nothing.
 */
import type { IncomingMessage } from 'node:http';
import fp from 'fastify-plugin';
import { ProblemError, pathOf } from '../lib/problem.ts';

export interface AllowedHostsOptions {
  /** Lower-case names, `*.` for any subdomain; empty: any host. */
  hosts: readonly string[];
  /** Paths that are answered under any host. */
  exempt: ReadonlySet<string>;
}

export const allowedHosts = fp<AllowedHostsOptions>(async (app, { hosts, exempt }) => {
  if (hosts.length === 0) return;
  const isAllowed = hostMatcher(hosts);
  app.addHook('onRequest', (request, _reply, done) => {
    if ((isAllowed(request.hostname) && hasOneHost(request.raw)) || exempt.has(pathOf(request.url))) {
      done();
      return;
    }
    done(
      new ProblemError(
        'misdirected',
        'This server does not answer under this host name. To allow it, add it to ALLOWED_HOSTS.',
      ),
    );
  });
});

/**
 * @param hosts As in {@link AllowedHostsOptions}.
 * @returns Whether a host name, without its port, is one of them.
 */
export function hostMatcher(hosts: readonly string[]): (hostname: string) => boolean {
  const exact = new Set(hosts);
  const endings = hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1));
  return (hostname) => {
    // An address of IPv6 stands in brackets; a name may end in a dot.
    const host = hostname.toLowerCase().replace(/^\[(.*)\]$|\.$/, '$1');
    return exact.has(host) || endings.some((ending) => host.endsWith(ending));
  };
}

/** Node reads the first of two `Host` headers; a proxy may have read the other (RFC 9112, 3.2). */
export function hasOneHost({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === 'host') hosts++;
  }
  return hosts === 1;
}
