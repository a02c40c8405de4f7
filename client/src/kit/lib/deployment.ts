import { useEffect, useState } from 'react';
import { isIdle, serverReachable, useConnection } from './connection.ts';
import { recall, remember } from './tab-memory.ts';

/** How often the page looks for a newer build while the page is used, in milliseconds. */
const LOOK_EVERY_MS = 60_000;

/** The hashed script this page was started from. It changes with every build of the client. */
const runningEntry =
  typeof document === 'undefined'
    ? undefined
    : (document.querySelector('script[type=module]')?.getAttribute('src') ?? undefined);

/** The same of a page that is only text: a parser of HTML would be refused under trusted types. */
const entryOf = (html: string) =>
  /<script\b[^>]*\btype="?module\b[^>]*>/.exec(html)?.[0].match(/\bsrc="?([^"\s>]+)/)?.[1];

/** Whether the server would now give another client than the one that is running. False when that cannot be known. */
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

/** True once a newer client has been deployed. Looks when another process answers, and now and then. */
export function useNewVersion() {
  const { reachable, processes } = useConnection();
  const [outdated, setOutdated] = useState(false);
  useEffect(() => {
    if (outdated || !reachable) return;
    const look = async () => {
      if (!isIdle() && (await isOutdated())) setOutdated(true);
    };
    // The process that sent this page has nothing newer.
    if (processes > 1) look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [reachable, processes, outdated]);
  return outdated;
}

/**
 * Loads a part of the client, and copes with its absence. While the server is away it waits. When the file has gone
 * because of a deployment, the page is loaded anew, once for each build: a second failure is shown instead of looping.
 *
 * @param load A dynamic import.
 * @throws {Error} The file cannot be had, also after a reload.
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
      // Where the tab may remember nothing, the page would reload endlessly.
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
