import { compile } from '@fastify/proxy-addr';
import { addressIn } from './rate-limit/client-key.ts';

/**
 * Decides whether a proxy is trusted, by its address.
 *
 * @param ranges Addresses, ranges and named sets, as in `TRUST_PROXY`; false trusts no proxy.
 */
export function trustOf(ranges: readonly string[] | false): (address: string | undefined) => boolean {
  if (ranges === false) return () => false;
  const trusts = compile([...ranges]);
  // X-Forwarded-For may hold anything, such as a port behind the address.
  return (address) => trusts(addressIn(address ?? '') ?? '', 0);
}
