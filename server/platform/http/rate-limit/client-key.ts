import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Some proxies (Azure, IIS) write a port behind the address, and brackets around one of IPv6. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/;

/** @returns The address in an entry of `X-Forwarded-For`, without port and brackets; undefined where it holds none. */
export function addressIn(text: string): string | undefined {
  if (isIP(text) !== 0) return text;
  const [, bracketed, plain] = WITH_PORT.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  return isIP(address) === 0 ? undefined : address;
}

/**
 * The client that a request counts for: its IPv4 address, also where that is mapped into IPv6, or the /64 of its IPv6
 * address, because one customer is given that much.
 *
 * @param ip As it was forwarded, or the peer's. Where it is no address, the peer's counts.
 * @param peer The address that has connected; undefined once the connection has ended.
 */
export function clientKey(ip: string | undefined, peer: string | undefined): string {
  const address = (ip === peer ? ip : addressIn(ip ?? '')) ?? peer ?? '';
  return address.includes(':') ? networkOf(address) : address;
}

function networkOf(ip: string): string {
  const address = ipaddr.IPv6.parse(ip);
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  const groups = address.parts.slice(0, 4).map((group) => group.toString(16));
  return `${groups.join(':')}::/64`;
}
