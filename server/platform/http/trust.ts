import { BlockList, isIPv6 } from 'node:net';
import { addressIn } from './rate-limit/client-key.ts';

/** The named sets of proxy-addr (https://www.npmjs.com/package/proxy-addr). */
const NAMED: Record<string, string[]> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Trusted proxies are few, but any client's address may be looked up. */
const MAX_REMEMBERED = 1_000;

/**
 * Decides whether a proxy is trusted, by its address.
 *
 * @param ranges Addresses, ranges and named sets, as in `TRUST_PROXY`; false trusts no proxy.
 */
export function trustOf(ranges: readonly string[] | false): (address: string | undefined) => boolean {
  if (ranges === false) return () => false;
  const list = new BlockList();
  for (const range of ranges.flatMap((one) => NAMED[one] ?? [one])) {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  const known = new Map<string, boolean>();
  return (peer) => {
    // Without the zone, which names a network interface.
    const address = addressIn(peer?.split('%', 1)[0] ?? '');
    // X-Forwarded-For may hold anything.
    if (address === undefined) return false;
    const before = known.get(address);
    if (before !== undefined) return before;
    const trusted = list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(address, trusted);
    return trusted;
  };
}
