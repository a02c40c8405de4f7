/** Runs the server from its sources, and restarts it when they change. Vite handles changes of the client. */
import { watch } from 'node:fs';
import { join } from 'node:path';
import { end, STOP_LIMIT_MS, start, stopSignal } from './processes.mjs';
import { watchFolders } from './watch.mjs';
import { say } from './words.mjs';

const WATCHED = ['server', 'contracts', 'drizzle'];
/** The sources of a server. Editors and version control write temporary files beside them. */
const SOURCE = /(?<!\.test)\.(ts|json|sql)$|[\\/]$/;
/** Editors and version control write several files at once. */
const SETTLE_MS = 100;

/** @returns {Promise<number>} exit code, once stopped by a signal */
export async function developServer(root, node, args) {
  let changed;
  let wake = () => {};
  let settle;
  const onChange = (path) => {
    changed ??= path;
    clearTimeout(settle);
    settle = setTimeout(() => wake(), SETTLE_MS);
  };
  const stopWatching = watchFolders(root, WATCHED, (path) => SOURCE.test(path) && onChange(path));
  const settings = watch(root, (_event, name) => /^\.env(\.\w+)?$/.test(name ?? '') && onChange(name));

  for (;;) {
    changed = undefined;
    clearTimeout(settle);
    const woken = new Promise((resolve) => {
      wake = resolve;
    });
    const { child, ended } = start(node, [join(root, 'server/main.ts'), 'dev', ...args], { server: true });
    const result = await Promise.race([ended, woken]);
    if (stopSignal.aborted) return finish(await ended);
    if (result) {
      say(`The server ended with code ${result.code}; it starts again when a file changes`);
      await Promise.race([woken, new Promise((resolve) => stopSignal.addEventListener('abort', resolve))]);
      if (stopSignal.aborted) return finish(result);
    }
    say(`${changed} changed: starting again`);
    end({ child, server: true }, 'SIGTERM');
    const stuck = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(stuck);
    if (stopSignal.aborted) return finish(await ended);
  }

  function finish({ code }) {
    stopWatching();
    settings.close();
    return code;
  }
}
