/**
 * Refuses requests under a `Host` that is not in `ALLOWED_HOSTS`: an address of somebody else's that leads here, by
 * mistake or to make a browser believe that this server is theirs (DNS rebinding).
 *
 * It stands before the routes; probes are exempt, because those who ask them know an address and no name. Where nothing
 * is set it adds nothing.
 */
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
  const exact = new Set(hosts);
  const endings = hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1));
  app.addHook('onRequest', (request, _reply, done) => {
    // An address of IPv6 stands in brackets; a name may end in a dot.
    const host = request.hostname.toLowerCase().replace(/^\[(.*)\]$|\.$/, '$1');
    const isOurs = exact.has(host) || endings.some((ending) => host.endsWith(ending));
    if ((isOurs && hasOneHost(request.raw.rawHeaders)) || exempt.has(pathOf(request.url))) {
      done();
      return;
    }
    done(
      new ProblemError(
        'misdirected',
        `This server does not answer under this name. ALLOWED_HOSTS lists its names.`,
      ),
    );
  });
});

/** Node reads the first of two `Host` headers; a proxy may have read the other (RFC 9112, 3.2). */
function hasOneHost(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === 'host') hosts++;
  }
  return hosts === 1;
}
