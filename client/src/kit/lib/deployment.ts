import { useEffect, useState } from 'react';
import { isIdle, serverReachable, useConnection } from './connection.ts';
import { recall, remember } from './tab-memory.ts';

/** How often an active page checks for a newer build, in milliseconds. */
const LOOK_EVERY_MS = 60_000;

/** The hashed script this page was started from. It changes with every build of the client. */
const runningEntry =
  typeof document === 'undefined'
    ? undefined
    : (document.querySelector('script[type=module]')?.getAttribute('src') ?? undefined);

/** The same from HTML text. Trusted types forbid `DOMParser`. */
const entryOf = (html: string) =>
  /<script\b[^>]*\btype="?module\b[^>]*>/.exec(html)?.[0].match(/\bsrc="?([^"\s>]+)/)?.[1];

/** Whether the server now serves another build. False when unknown. */
async function isOutdated() {
  if (import.meta.env.DEV) return false;
  try {
    const response = await fetch('/', { headers: { Accept: 'text/html' }, cache: 'no-cache' });
    if (!response.ok) return false;
    const entry = entryOf(await response.text());
    return entry !== undefined && entry !== runningEntry;
  } catch {
    return false;
  }
}

/** True once a newer build is deployed. Checks when another server process answers, and every minute. */
export function useNewVersion() {
  const { reachable, processes } = useConnection();
  const [outdated, setOutdated] = useState(false);
  useEffect(() => {
    if (outdated || !reachable) return;
    const look = async () => {
      if (!isIdle() && (await isOutdated())) setOutdated(true);
    };
    // The process that served this page has no newer build.
    if (processes > 1) look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [reachable, processes, outdated]);
  return outdated;
}

/**
 * Loads a chunk. While the server is unreachable it waits. If a deployment removed the file, it reloads the page, once
 * for each build: a second failure throws, so that the page does not reload in a loop.
 *
 * @param load A dynamic import.
 * @throws {Error} The file is still missing after a reload.
 */
export async function loadPart<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    await serverReachable();
    try {
      return await load();
    } catch {
      const mark = `reloaded:${runningEntry}`;
      const isSecondTime = recall(mark) !== undefined;
      remember(mark, 'yes');
      // Without session storage the page would reload endlessly.
      if (isSecondTime || recall(mark) === undefined) {
        throw new Error('A file of this screen is missing on the server. Reload the page in a minute.', {
          cause: error,
        });
      }
      location.reload();
      return new Promise(() => {});
    }
  }
}
