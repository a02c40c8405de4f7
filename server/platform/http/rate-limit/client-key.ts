import { isIP, isIPv4 } from 'node:net';

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
  const groups = groupsOf(ip);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The eight numbers of an IPv6 address. */
function groupsOf(ip: string): number[] {
  const [address = ''] = ip.split('%');
  const halves = address.split('::').map((half) =>
    half
      .split(':')
      .filter((group) => group !== '')
      .flatMap((group) => {
        if (!isIPv4(group)) return Number.parseInt(group, 16);
        const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
        return [a * 256 + b, c * 256 + d];
      }),
  );
  const [head = [], tail = []] = halves;
  return [...head, ...Array(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail];
}
