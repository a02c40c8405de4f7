/** Whether `dist` matches the sources, by a hash of their contents. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.mjs';

const SOURCES = ['client', 'contracts', 'server', 'drizzle'];
const FILES = ['vite.config.ts', 'tsconfig.json', 'package.json', 'package-lock.json'];
const PRODUCTS = ['dist/server/main.js', 'dist/client/index.html'];
const STAMP = 'dist/.build-stamp';

/** Hash of all inputs of a build. */
export function sourceHash(root) {
  const hash = createHash('sha256');
  const add = (path) =>
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0');
  const walk = (folder) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (!/\.test\.tsx?$/.test(entry.name)) add(path);
    }
  };
  for (const folder of SOURCES) if (existsSync(join(root, folder))) walk(folder);
  for (const file of FILES) if (existsSync(join(root, file))) add(file);
  return hash.digest('hex');
}

/** Without sources, as with `dist` only, the build is current. */
export function buildIsCurrent(root) {
  if (!PRODUCTS.every((path) => existsSync(join(root, path)))) return false;
  if (!existsSync(join(root, 'vite.config.ts'))) return true;
  return existsSync(join(root, STAMP)) && readFileSync(join(root, STAMP), 'utf8') === sourceHash(root);
}

/** One `vite build`, always for production, whatever NODE_ENV is. */
export async function build(root, node, { quiet, args = [] }) {
  // Computed first: a file that changes during the build makes the result stale.
  const hash = sourceHash(root);
  rmSync(join(root, STAMP), { force: true });
  await run(node, [join(root, 'node_modules/vite/bin/vite.js'), 'build', ...args], {
    quiet,
    env: { NODE_ENV: 'production' },
  });
  writeFileSync(join(root, STAMP), hash);
}
