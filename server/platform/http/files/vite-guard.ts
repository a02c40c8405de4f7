/**
 * What the development server asks Vite for. Vite checks files by itself; this is the second lock, and it names what is
 * open instead of what is closed: Vite's own modules, and files of the folders that the client is made of.
 */

import { realpathSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join, relative, sep } from 'node:path';
import { hasOneHost, hostMatcher } from '../allowed-hosts.ts';

/** Modules that plugins make up, and for which no file is read. */
const MADE_UP = /^\/(@vite\/(client|env)|@react-refresh|@id\/__x00__[^/].*)$/;
/**
 * An address that can be read in one way only, once it is decoded as Vite decodes it: no second encoding, no backslash,
 * and no path in its query.
 */
const UNAMBIGUOUS = /^\/(?!\/)[^?#\\%\p{Cc}]*(\?[^/?#\\%\p{Cc}]*)?$/u;
const UPWARDS = /\/\.{1,2}(\/|$)/;
const FILE_SYSTEM = '/@fs/';
/** Asks whether the server is back. */
export const PING = 'vite-ping';
/** What Vite's client speaks; Vite leaves all others without an answer. */
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
    // Vite writes the packages that it has prepared while the browser asks for them.
    return isOpen(file, open) && (real === undefined || isOpen(real, open));
  };
  return (url) => {
    const path = decoded(url);
    if (path === undefined) return false;
    if (MADE_UP.test(path)) return true;
    if (path.startsWith(FILE_SYSTEM)) {
      return mayRead(path.slice(process.platform === 'win32' ? FILE_SYSTEM.length : FILE_SYSTEM.length - 1));
    }
    return [join(root, path), join(root, 'public', path)].some((file) => isFile(file) && mayRead(file));
  };
}

/**
 * Whether a request for the socket of hot reload comes from a page under one of our names. Browsers always say where a
 * page comes from; that it is our own page is then shown by Vite's token, which no other origin can read.
 *
 * @param hosts As in `ALLOWED_HOSTS`.
 */
export function hotReloadGuard(hosts: readonly string[]): (request: IncomingMessage) => boolean {
  const isAllowed = hostMatcher(hosts);
  return (request) => {
    const { host = '', origin, 'sec-websocket-protocol': protocol = '' } = request.headers;
    const isOurs = isAllowed(host.replace(/:\d*$/, '')) && hasOneHost(request);
    // A ping has no token, so that its page is known by its name alone.
    const from = origin === undefined ? undefined : URL.parse(origin)?.hostname;
    return isOurs && from !== undefined && isAllowed(from) && HOT_RELOAD.includes(protocol);
  };
}

/** The path of an address, or nothing where it can be read in more than one way. */
function decoded(url: string): string | undefined {
  try {
    const text = decodeURI(url);
    const [path] = text.split('?', 1);
    return UNAMBIGUOUS.test(text) && path !== undefined && !UPWARDS.test(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Of what begins with a dot, only the packages that Vite has prepared for the browser are open. */
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
