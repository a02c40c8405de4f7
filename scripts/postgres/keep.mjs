/**
 * The PostgreSQL of development and tests: what the launcher, the tests' set-up and the benchmarks call. A keeper (keeper.ts), a
 * process of its own, runs it. Like the launcher this file parses under old versions of Node.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hasOurPort } from './postmaster.mjs';

const KEEPER = fileURLToPath(new URL('keeper.ts', import.meta.url));
/** PostgreSQL gets 13 s to stop (cluster.ts). */
const RELEASE_LIMIT_MS = 15_000;
const MAX_LOG_BYTES = 1_000_000;

/**
 * Starts PostgreSQL for a folder, or shares the one that runs there. The address is known before PostgreSQL answers.
 *
 * @param {import('./keep.d.mts').KeepOptions} options
 * @returns {Promise<import('./keep.d.mts').KeptPostgres>}
 * @throws {Error} when the folder's settings are lost, or no port is free
 */
export async function keepPostgres({
  folder: given,
  database,
  log,
  node = process.execPath,
  durable = true,
  maxConnections = 60,
  graceMs = 15_000,
}) {
  const folder = resolve(given);
  fs.mkdirSync(folder, { recursive: true });
  const { port, password } = await reserveAddress(folder, log);
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  const options = JSON.stringify({ folder, database, durable, maxConnections, graceMs });

  let keeper;
  let isReady = false;
  let released = false;
  const ready = new Promise((resolve, reject) => {
    const start = () => {
      keeper = spawnKeeper(node, folder, options);
      keeper.once('error', reject);
      keeper.on('message', (message) => {
        if (message.log) log(message.log);
        if (message.failed && isReady) log(message.failed);
        else if (message.failed) reject(new Error(message.failed));
        if (message.ready) {
          isReady = true;
          // From here on it keeps no process alive that has nothing else to do.
          keeper.unref();
          keeper.channel?.unref();
          resolve();
        }
      });
      keeper.once('exit', (code, signal) => {
        // One that was killed or stopped is replaced; one that failed would fail again.
        if (!released && (signal || code === 0)) return start();
        reject(new Error(`PostgreSQL did not start. Its log: ${join(folder, 'postgres.log')}`));
      });
    };
    start();
  });
  ready.catch(() => {});

  const release = async () => {
    released = true;
    if (!keeper.connected) return;
    const ended = once(keeper, 'exit');
    keeper.ref();
    keeper.send('release', () => {});
    await Promise.race([ended, sleep(RELEASE_LIMIT_MS, undefined, { ref: false })]);
  };
  return { url, ready, release };
}

function spawnKeeper(node, folder, options) {
  const file = join(folder, 'postgres.log');
  const isLarge = fs.existsSync(file) && fs.statSync(file).size > MAX_LOG_BYTES;
  const log = fs.openSync(file, isLarge ? 'w' : 'a', 0o600);
  // A session of its own: neither Ctrl-C nor the end of a terminal reaches it.
  const keeper = spawn(node, [KEEPER, options], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    windowsHide: true,
  });
  fs.closeSync(log);
  return keeper;
}

/**
 * Password and port, the same from start to start, kept in `settings.json`. The port changes where another program has taken
 * it, and in a copy of the folder: the original may run at the same time.
 *
 * @param {string} folder
 * @param {(message: string) => void} log
 * @returns {Promise<{ id: string, folder: string, password: string, port: number }>}
 */
async function reserveAddress(folder, log) {
  const file = join(folder, 'settings.json');
  if (!fs.existsSync(file)) {
    if (fs.existsSync(join(folder, 'cluster'))) {
      throw new Error(
        `${file} is missing. It holds the password of the database beside it. Delete ${folder} and start again.`,
      );
    }
    const id = randomBytes(8).toString('hex');
    const password = randomBytes(24).toString('base64url');
    write(file, { id, folder, password, port: await freePort(folder) }, fs.linkSync);
  }
  const settings = JSON.parse(fs.readFileSync(file, 'utf8'));
  const isCopy = settings.folder !== folder;
  if (!isCopy && (await isUsable(settings))) return settings;
  const moved = { ...settings, folder, port: await freePort(folder) };
  if (!isCopy) log(`Port ${settings.port} is taken by another program: PostgreSQL moves to ${moved.port}`);
  write(file, moved, fs.renameSync);
  return moved;
}

/** Writes a file whole, readable by this account only. With `linkSync` a file that another start has just written stays. */
function write(file, content, put) {
  const draft = `${file}.${process.pid}`;
  fs.writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  try {
    put(draft, file);
  } catch (error) {
    // Some file systems have no links.
    if (error.code !== 'EEXIST') fs.renameSync(draft, file);
  }
  fs.rmSync(draft, { force: true });
}

/** Asked a few times: another start that asks at the same moment takes the port for that moment. */
async function isUsable(settings) {
  for (let attempt = 0; attempt < 5; attempt++) {
    if ((await isFree(settings.port)) || hasOurPort(settings)) return true;
    await sleep(20 + Math.random() * 100);
  }
  return false;
}

/** One derived from the folder, so that clones differ; else any. */
async function freePort(folder) {
  // Below 32768, where no system hands out ports for outgoing connections.
  const derived = 20_000 + (createHash('sha256').update(folder).digest().readUInt16BE() % 10_000);
  return (await isFree(derived)) || (await isFree(0));
}

/** @returns {Promise<number>} the port, or 0 where it is taken */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(0));
    server.listen(port, '127.0.0.1', () => {
      const { port: found } = server.address();
      server.close(() => resolve(found));
    });
  });
}
