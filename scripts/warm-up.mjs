/**
 * Starts the built server, lets it load everything, and stops it. This writes V8's compile cache beside its files. The image build does
 * it, because the file system of a container may be read-only.
 *
 * The cache is valid only for the same Node, V8 options, path and user, so run it as the image runs the server. Needs no database.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAIN } from './launcher/server.mjs';

const LIMIT_MS = 30_000;

// The build may share the network of its machine, where port 5000 may be in use.
const finder = createServer().listen(0, '127.0.0.1');
await once(finder, 'listening');
const { port } = finder.address();
finder.close();

const server = spawn(process.execPath, [...process.execArgv, MAIN], {
  // Nothing listens at this address: a server that waits for its database has loaded everything.
  env: {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: 'postgres://none@127.0.0.1:1/none',
  },
  stdio: ['ignore', 'ignore', 'inherit'],
});
const ended = once(server, 'exit');
const began = Date.now();
for (;;) {
  const page = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
  if (page?.ok) break;
  if (server.exitCode !== null || Date.now() - began > LIMIT_MS)
    throw new Error('The server did not serve its page.');
  await sleep(20);
}
for (const path of ['/live', '/ready', '/api/status'])
  await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
server.kill('SIGTERM');
const [code] = await ended;
if (code !== 0) throw new Error(`The server ended with ${code}.`);
