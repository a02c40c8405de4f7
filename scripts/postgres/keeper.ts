/**
 * Keeps PostgreSQL running for the process that has started this one: `node keeper.ts OPTIONS`, with a channel to it.
 *
 * PostgreSQL outlives a killed launcher for a moment and never for long, so neither may be the other's parent. Each process that
 * needs PostgreSQL has a keeper. The one that holds `keeper.lock` runs PostgreSQL, the others wait to take over. While it is
 * needed, each holds a share of `needed.lock`; who gets all of it afterwards is the last, and stops PostgreSQL.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { hasOurPort } from './postmaster.mjs';

interface KeeperOptions extends ClusterOptions {
  database: string;
  graceMs: number;
}

const RESTARTS_PER_MINUTE = 5;
const POLL_MS = 200;

/** A lock of SQLite: the one among Node's own modules that the kernel releases however a process ends. */
class Lock {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 0 });
  }

  share = (): boolean => this.#begin('BEGIN; SELECT name FROM sqlite_schema');
  take = (): boolean => this.#begin('BEGIN EXCLUSIVE');

  release(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  #begin(sql: string): boolean {
    try {
      this.#database.exec(sql);
      return true;
    } catch {
      this.release();
      return false;
    }
  }
}

const options = JSON.parse(process.argv[2] ?? '') as KeeperOptions;
const { folder } = options;
const pidFile = join(folder, 'keeper.pid');
process.title = 'postgres-keeper';

const end = new AbortController();
const { signal } = end;
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(name, () => end.abort());
process.once('message', () => end.abort());
process.once('disconnect', () => setTimeout(() => end.abort(), options.graceMs).unref());

function tell(message: { log: string } | { ready: true } | { failed: string }): void {
  if (process.connected) process.send?.(message, () => {});
}

const pause = () => sleep(POLL_MS, undefined, { signal }).catch(() => {});
const needed = new Lock(join(folder, 'needed.lock'));
const keeper = new Lock(join(folder, 'keeper.lock'));
const cluster = new Cluster(options, (log) => tell({ log }));

/** Runs PostgreSQL, starting it again where it ends by itself, until it is no longer needed here. */
async function run(): Promise<void> {
  await cluster.open();
  await writeFile(pidFile, `${process.pid}\n`);
  for (const starts: number[] = []; !signal.aborted; ) {
    starts.push(Date.now());
    if (starts.filter((at) => at > Date.now() - 60_000).length > RESTARTS_PER_MINUTE)
      throw new Error(`PostgreSQL keeps ending by itself. Its log: ${cluster.logFile}`);
    if (starts.length > 1) tell({ log: 'PostgreSQL ended by itself: starting it again' });
    await cluster.start();
    await untilItAnswers(() => cluster.isRunning());
    while (!signal.aborted && cluster.isRunning()) await pause();
  }
}

/** Waits for another keeper to leave, whose PostgreSQL is shared meanwhile. */
async function takeTurn(): Promise<boolean> {
  while (!signal.aborted && !needed.share()) await pause();
  for (let answered = false; !signal.aborted && !keeper.take(); await pause()) {
    if (!answered) answered = await answers();
  }
  return !signal.aborted;
}

async function untilItAnswers(mayStill: () => boolean): Promise<void> {
  while (!signal.aborted && mayStill()) {
    if (await answers()) return;
    await sleep(20);
  }
}

/** Creates the database where it is missing. @returns Whether PostgreSQL answers; if so, that is told. */
async function answers(): Promise<boolean> {
  if (!hasOurPort(cluster.settings)) return false;
  const { password, port } = cluster.settings;
  const connection = { host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' };
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query('select from pg_database where datname = $1', [options.database]);
    if (!rowCount) await client.query(`create database ${pg.escapeIdentifier(options.database)}`);
    tell({ ready: true });
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Stops PostgreSQL if no other keeper needs it. */
async function leave(): Promise<void> {
  needed.release();
  // A few times: two that try at once refuse each other.
  for (let attempt = 0; attempt < 5; attempt++) {
    if (needed.take()) {
      while (!keeper.take()) await sleep(20);
      await cluster.stop();
      await rm(pidFile, { force: true });
      return;
    }
    await sleep(20 + Math.random() * 100);
  }
}

try {
  if (await takeTurn()) await run();
} catch (error) {
  console.error(error);
  tell({ failed: (error as Error).message });
  process.exitCode = 1;
}
await leave().catch(console.error);
// Messages to the launcher arrive first.
if (process.connected) process.disconnect();
