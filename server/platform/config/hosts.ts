import type { ConfigOf, Platform } from './setting.ts';
import type { basics } from './settings.ts';
import { ANY_ADDRESS, items, LOOPBACK } from './values.ts';

/** The host names that the server answers to. */

const LOOPBACK_NAMES = ['localhost', '*.localhost', ...LOOPBACK];

/**
 * In production the names that are set, and any name if none is. Elsewhere the server serves sources under secrets of its own
 * making: there it is this machine's names, what is set, and the preview of a Replit workspace.
 *
 * @param previewHost `REPLIT_DEV_DOMAIN`.
 * @returns Lower-case names, `*.` for any subdomain; empty: any host.
 */
export function allowedHosts(
  { allowedHosts: set, publicUrl, listen, environment }: ConfigOf<typeof basics>,
  { replit }: Platform,
  previewHost = '',
): string[] {
  const named = publicUrl ? [new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')] : [];
  if (environment === 'production') return set.length > 0 ? [...new Set([...set, ...named])] : [];
  const listened = listen.hosts
    .filter((address) => !ANY_ADDRESS.includes(address))
    .map((address) => address.toLowerCase());
  const preview = replit === 'workspace' ? items(previewHost.toLowerCase()) : [];
  return [...new Set([...set, ...named, ...LOOPBACK_NAMES, ...listened, ...preview])];
}
