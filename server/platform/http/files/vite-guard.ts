/**
 * Which requests Vite may answer in development: for its own modules, and for files in the client's folders. Vite checks files
 * itself with a list of what is forbidden; this is a second check, with a list of what is allowed.
 */

import { realpathSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join, relative, sep } from 'node:path';
import { hasOneHost, hostMatcher } from '../allowed-hosts.ts';

/** Virtual modules, for which no file is read. */
const VIRTUAL = /^\/(@vite\/(client|env)|@react-refresh|@id\/__x00__[^/].*)$/;
/** An address with one meaning only, decoded as Vite does: no second encoding, no backslash, no path in its query. */
const UNAMBIGUOUS = /^\/(?!\/)[^?#\\%\p{Cc}]*(\?[^/?#\\%\p{Cc}]*)?$/u;
const UPWARDS = /\/\.{1,2}(\/|$)/;
const FILE_SYSTEM = '/@fs/';
/** The protocol of Vite's client for asking whether the server is back. */
export const PING = 'vite-ping';
/** The protocols of Vite's client; Vite does not answer others. */
const HOT_RELOAD = ['vite-hmr', PING];

/**
 * @param root Vite's root, from which addresses without `/@fs/` are read.
 * @param folders What may be read, as absolute paths.
 * @returns Whether Vite may answer the target of a request.
 */
export function viteGuard(root: string, folders: readonly string[]): (url: string) => boolean {
  const open = [...new Set(folders.flatMap((folder) => [folder, realPath(folder) ?? folder]))];
  const mayRead = (file: string) => {
    const real = realPath(file);
    // Vite may still be writing the packages that it prepares.
    return isOpen(file, open) && (real === undefined || isOpen(real, open));
  };
  return (url) => {
    const path = decoded(url);
    if (path === undefined) return false;
    if (VIRTUAL.test(path)) return true;
    if (path.startsWith(FILE_SYSTEM)) {
      return mayRead(path.slice(process.platform === 'win32' ? FILE_SYSTEM.length : FILE_SYSTEM.length - 1));
    }
    return [join(root, path), join(root, 'public', path)].some((file) => isFile(file) && mayRead(file));
  };
}

/**
 * Browsers always send a page's origin. Vite's token, which no other origin can read, then shows that it is our page.
 *
 * @param hosts As in `ALLOWED_HOSTS`.
 * @returns Whether a request for the hot reload socket comes from a page under one of these hosts.
 */
export function hotReloadGuard(hosts: readonly string[]): (request: IncomingMessage) => boolean {
  const isAllowed = hostMatcher(hosts);
  return (request) => {
    const { host = '', origin, 'sec-websocket-protocol': protocol = '' } = request.headers;
    const isOurs = isAllowed(host.replace(/:\d*$/, '')) && hasOneHost(request);
    // A ping has no token.
    const from = origin === undefined ? undefined : URL.parse(origin)?.hostname;
    return isOurs && from !== undefined && isAllowed(from) && HOT_RELOAD.includes(protocol);
  };
}

/** @returns The path of an address; undefined if it is ambiguous. */
function decoded(url: string): string | undefined {
  try {
    const text = decodeURI(url);
    const [path] = text.split('?', 1);
    return UNAMBIGUOUS.test(text) && path !== undefined && !UPWARDS.test(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Of dot folders, only the packages that Vite has prepared are open. */
function isOpen(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const inside = relative(folder, file).split(sep).join('/');
    return inside !== '' && !/^\w:/.test(inside) && !/(^|\/)\./.test(inside.replace(/^\.vite\/deps\//, ''));
  });
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}

const isFile = (file: string) => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
