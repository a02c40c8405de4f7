import { compile } from '@fastify/proxy-addr';
import { addressIn } from './rate-limit/client-key.ts';

/** Trusted proxies are few, but any client's address may be looked up. */
const MAX_REMEMBERED = 1_000;

/**
 * Decides whether a proxy is trusted, by its address. A request asks several times, and to read an address takes about
 * eight times as long as to look it up, so verdicts are remembered.
 *
 * @param ranges Addresses, ranges and named sets, as in `TRUST_PROXY`; false trusts no proxy.
 */
export function trustOf(ranges: readonly string[] | false): (address: string | undefined) => boolean {
  if (ranges === false) return () => false;
  const trusts = compile([...ranges]);
  const known = new Map<string, boolean>();
  return (text) => {
    // X-Forwarded-For may hold anything, such as a port behind the address.
    const address = addressIn(text ?? '') ?? '';
    const trusted = known.get(address) ?? trusts(address, 0);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(address, trusted);
    return trusted;
  };
}
