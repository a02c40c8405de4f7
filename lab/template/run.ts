/** `npm run test:template [-- --all]`: with `--all` the whole suite and the browser where the short run takes a part of it. */
import { spawnSync } from 'node:child_process';

const args = process.argv.slice(2);
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--project=template', ...args.filter((arg) => arg !== '--all')],
  { stdio: 'inherit', env: { ...process.env, ...(args.includes('--all') && { TEMPLATE_ALL: '1' }) } },
);
process.exitCode = status ?? 1;
