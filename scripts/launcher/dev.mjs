/** The server from its sources, started again whenever they change. The client's own changes are Vite's affair. */
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { end, PATIENCE_MS, start, stopSignal } from './processes.mjs';
import { say } from './words.mjs';

const WATCHED = ['server', 'contracts', 'drizzle'];
/** Editors and version control write several files at once. */
const SETTLE_MS = 100;

/** @returns {Promise<number>} exit code, once told to stop */
export async function developServer(root, node, args) {
  let changed;
  let wake = () => {};
  let settle;
  const onChange = (path) => {
    if (/\.test\.tsx?$|~$|\.sw.$/.test(path)) return;
    changed ??= path;
    clearTimeout(settle);
    settle = setTimeout(() => wake(), SETTLE_MS);
  };
  const watchers = WATCHED.filter((folder) => existsSync(join(root, folder))).map((folder) =>
    watch(join(root, folder), { recursive: true }, (_event, name) =>
      onChange(name ? join(folder, name) : folder),
    ),
  );
  watchers.push(watch(root, (_event, name) => name?.startsWith('.env') && onChange(name)));

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
    const stuck = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(stuck);
    if (stopSignal.aborted) return finish(await ended);
  }

  function finish({ code }) {
    for (const watcher of watchers) watcher.close();
    return code;
  }
}
