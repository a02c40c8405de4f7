import type { Values } from './settings.ts';
import { type Context, items, LOOPBACK } from './values.ts';

/** The host names that the server answers under. */

const LOOPBACK_NAMES = ['localhost', '*.localhost', ...LOOPBACK];
const ANY_ADDRESS = ['0.0.0.0', '::'];

/**
 * In production the names that are set, and any name where none is. Elsewhere the server answers with sources, under
 * secrets that it made itself: there it is the names of this machine, what is set, and the preview of a Replit workspace.
 *
 * @param previewHost `REPLIT_DEV_DOMAIN`.
 * @returns Lower-case names, `*.` for any subdomain; empty: any host.
 */
export function allowedHosts(
  { ALLOWED_HOSTS: set = [], PUBLIC_URL: publicUrl, HOST: addresses }: Values,
  { environment, platform }: Context,
  previewHost = '',
): string[] {
  const named = publicUrl ? [new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')] : [];
  if (environment === 'production') return set.length > 0 ? [...new Set([...set, ...named])] : [];
  const listened = addresses
    .filter((address) => !ANY_ADDRESS.includes(address))
    .map((address) => address.toLowerCase());
  const preview = platform.replit === 'workspace' ? items(previewHost.toLowerCase()) : [];
  return [...new Set([...set, ...named, ...LOOPBACK_NAMES, ...listened, ...preview])];
}
