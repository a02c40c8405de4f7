import { BlockList, isIPv6 } from 'node:net';
import { addressIn } from './rate-limit/client-key.ts';

/** What the named sets hold, as everywhere (https://www.npmjs.com/package/proxy-addr). */
const NAMED: Record<string, string[]> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Peers are few where proxies are trusted; where they are not, strangers choose them, so they are not kept for ever. */
const MAX_REMEMBERED = 1_000;

/**
 * Tells whether a proxy is to be believed, by the address it connects from.
 *
 * @param ranges Addresses, ranges and named sets, as `TRUST_PROXY` has them; false trusts nobody.
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
    // A zone says through which door of this machine it came, which is no matter here.
    const address = addressIn(peer?.split('%', 1)[0] ?? '');
    // What stands in X-Forwarded-For may be anything.
    if (address === undefined) return false;
    const before = known.get(address);
    if (before !== undefined) return before;
    const trusted = list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(address, trusted);
    return trusted;
  };
}
