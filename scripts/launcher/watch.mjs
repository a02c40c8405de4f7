/** Reports changed files. One watch per folder: on Linux a recursive watch loses files that are replaced by a rename. */
import { readdirSync, watch } from 'node:fs';
import { join, sep } from 'node:path';

/**
 * Watches folders and everything in them, including new folders.
 *
 * @param {string} root
 * @param {string[]} folders below the root; those that are missing are left out
 * @param {(path: string) => void} onChange called with the path, from the root, of each file that is written, moved or removed,
 *   and of each folder that is no longer there, with a slash at its end
 * @returns {() => void} ends it
 * @throws {Error} when the system has no watches left (ENOSPC)
 */
export function watchFolders(root, folders, onChange) {
  const watchers = new Map();

  /** @returns {string[] | undefined} the files below, or nothing where this is no folder */
  const enter = (folder) => {
    if (!list(join(root, folder))) return undefined;
    leave(folder);
    try {
      const watcher = watch(join(root, folder), (event, name) => onEvent(event, join(folder, name ?? '')));
      watchers.set(
        folder,
        watcher.on('error', () => leave(folder)),
      );
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    // Listed again: files that came since the first listing cause no event.
    return (list(join(root, folder)) ?? []).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? (enter(path) ?? []) : path;
    });
  };
  const leave = (folder) => {
    for (const [path, watcher] of watchers) {
      if (path !== folder && !path.startsWith(folder + sep)) continue;
      watcher.close();
      watchers.delete(path);
    }
  };
  const onEvent = (event, path) => {
    // A new folder, or another one with the same name.
    const files = event === 'rename' ? enter(path) : undefined;
    if (files) return files.forEach(onChange);
    if (event === 'rename' && watchers.has(path)) {
      leave(path);
      return onChange(path + sep);
    }
    onChange(path);
  };

  for (const folder of folders) enter(folder);
  return () => {
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

function list(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // It was deleted, or is a file.
    if (['ENOENT', 'ENOTDIR'].includes(error.code)) return undefined;
    throw error;
  }
}
