/** What a process lives on runs out or jumps: disk, clock, file descriptors, memory. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createDatabase } from '../../tests/support/postgres.ts';
import { headerLines } from '../../tests/support/raw-http.ts';
import { startServer } from '../../tests/support/server.ts';
import { until } from '../../tests/support/until.ts';
import { user } from '../../tests/support/user.ts';
import { failed, Ledger, Load, SUBJECT, send, summary } from './support/load.ts';
import { fullOrShort, has, ms, record, within } from './support/suite.ts';

const FAKETIME = ['x86_64', 'aarch64']
  .map((cpu) => `/usr/lib/${cpu}-linux-gnu/faketime/libfaketime.so.1`)
  .find(existsSync);

/** A file system of one mebibyte. @returns undefined where this user may not mount any. */
async function smallDisk() {
  const folder = await mkdtemp(join(tmpdir(), 'disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status === 0;
  if (!mounted) console.warn('not tested, because this user may not mount a small file system');
  return {
    folder: mounted ? folder : undefined,
    async [Symbol.asyncDispose]() {
      if (mounted) spawnSync('umount', [folder]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

it('a disk that is full for the log: the server goes on, says so, and writes again when there is room', async ({
  skip,
}) => {
  await using disk = await smallDisk();
  if (disk.folder === undefined) return skip();
  const file = join(disk.folder, 'server.log');
  const database = await createDatabase();
  await using server = await startServer({ DATABASE_URL: database.url, LOG_FILE: file });
  await server.ready();
  // Room for a second or two.
  const filler = join(disk.folder, 'filler');
  await writeFile(filler, Buffer.alloc(900 * 1_024));
  const ledger = new Ledger();
  const load = Load.start(server.url, ledger, 200);
  const said = await until('it to be said', () =>
    server.log().find(({ msg }) => String(msg).startsWith('LOG_FILE cannot')),
  );
  await sleep(fullOrShort(10_000, 3_000));
  await rm(filler);
  const freed = performance.now();
  await until('the file to be written again', () => server.output().includes('LOG_FILE is written again'));
  const againMs = performance.now() - freed;
  await sleep(500);
  const outcomes = await load.stop();
  record(
    'disk',
    `${failed(outcomes).length} of ${outcomes.length.toLocaleString('en')} failed; the log says "${said.msg}" (${(said.err as { code: string }).code}), and ${ms(againMs)} after there was room it is written again`,
  );
  expect(summary(failed(outcomes))).toBe('none');
  expect(await server.end()).toBe(0);
  expect(await readFile(file, 'utf8')).toContain('draining → stopped');
  await ledger.settle(database.url);
});

it.skipIf(!FAKETIME)('a clock that jumps an hour ahead and back again harms nobody', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clock-'));
  const clock = join(folder, 'clock');
  await writeFile(clock, '+0');
  const database = await createDatabase();
  await using server = await startServer({
    DATABASE_URL: database.url,
    LD_PRELOAD: FAKETIME ?? '',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    // A real step leaves the monotonic clock alone.
    DONT_FAKE_MONOTONIC: '1',
  });
  await server.ready();
  const start = server.log().length;
  const ledger = new Ledger();
  const load = Load.start(server.url, ledger, 200);
  const agent = new Agent();
  const ahead = async () => {
    const { body } = await send(agent, `${server.url}/live`);
    return Math.round((Date.parse(JSON.parse(body).timestamp) - Date.now()) / 1_000);
  };
  const seen: number[] = [];
  for (const step of ['+0', '+3600', '-3600', '+0']) {
    await writeFile(clock, step);
    await sleep(fullOrShort(10_000, 1_500));
    seen.push(await ahead());
  }
  const outcomes = await load.stop();
  const complaints = server
    .log()
    .slice(start)
    .filter(({ level }) => ['warn', 'error', 'fatal'].includes(String(level)));
  record(
    'clock',
    `the server's clock was off by ${seen.join(', ')} s; ${failed(outcomes).length} of ${outcomes.length.toLocaleString('en')} failed, ${complaints.length} warnings in the log`,
  );
  expect(seen.map((seconds) => Math.round(seconds / 10) * 10 + 0)).toEqual([0, 3_600, -3_600, 0]);
  expect(summary(failed(outcomes))).toBe('none');
  expect(complaints).toEqual([]);
  expect(await server.end()).toBe(0);
  await ledger.settle(database.url);
  await rm(folder, { recursive: true });
});

describe.skipIf(!has('prlimit'))('file descriptors', () => {
  it('that are too few for the connections: what is too much is refused, and it says so', async () => {
    const database = await createDatabase();
    await using server = await startServer(
      { DATABASE_URL: database.url, DB_POOL_SIZE: '5' },
      { under: ['prlimit', '--nofile=200:200'] },
    );
    await server.ready();
    const warning = server.log().find(({ msg }) => String(msg).startsWith('HTTP_MAX_CONNECTIONS is'));
    const [, taken = '0'] = /accepts (\d+) connections/.exec(String(warning?.msg)) ?? [];
    const ledger = new Ledger();
    const load = Load.start(server.url, ledger, 50);
    await sleep(500);
    // Each of them at work, so that none can be closed for another: a request whose body does not come.
    const crowd = Array.from({ length: 400 }, () => busyConnection(server.port));
    await sleep(2_000);
    const alive = (await send(new Agent(), `${server.url}/live`)).status;
    const open = (await readdir(`/proc/${server.child.pid}/fd`)).length;
    const freed = performance.now();
    for (const socket of crowd) socket.destroy();
    const readyIs = async () => (await send(new Agent(), `${server.url}/ready`)).status;
    await until('it to be ready for everybody', async () => (await readyIs()) === 200);
    const recoveredMs = performance.now() - freed;
    await sleep(1_000);
    const outcomes = await load.stop();
    const lost = failed(outcomes);
    record(
      'descriptors',
      `with 200 for 400 visitors at once: ${open} open, ${taken} connections taken, the start says so; ${summary(lost)} of ${outcomes.length} beside them, ready ${ms(recoveredMs)} after they left`,
    );
    // The idlest of all is closed for a newcomer, which may cross its next request.
    expect(alive).toBe(200);
    expect(
      summary(
        lost.filter(({ status, problem, error }) => !(status === 503 && problem) && error !== 'ECONNRESET'),
      ),
    ).toBe('none');
    expect(lost.filter(({ at }) => at > freed + recoveredMs)).toEqual([]);
    expect(open).toBeLessThan(200);
    expect(recoveredMs).toBeLessThan(within(2_000));
    expect(await server.end()).toBe(0);
    await ledger.settle(database.url);
  });

  it('of which none is left: who is in is served, who is not finds a way in afterwards, and it says so', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    const limit = (files: string) =>
      expect(spawnSync('prlimit', [`--pid=${server.child.pid}`, `--nofile=${files}`]).status).toBe(0);
    const ledger = new Ledger();
    const load = Load.start(server.url, ledger, 0, 4);
    const inside = new Agent({ keepAlive: true, maxSockets: 1 });
    await send(inside, `${server.url}/health`);
    await sleep(500);
    limit('10:');
    const newcomers = Array.from({ length: 20 }, () => busyConnection(server.port));
    // Over a connection that is there already, an operator is told.
    const told = await until('/health to say so', async () => {
      const { checks } = JSON.parse((await send(inside, `${server.url}/health`)).body);
      return checks['open-files'].status === 'failing' && (checks['open-files'].error as string);
    });
    await sleep(fullOrShort(5_000, 2_000));
    limit('4096:');
    const freed = performance.now();
    await until(
      'newcomers to be answered',
      async () => (await send(new Agent(), `${server.url}/ready`)).status === 200,
    );
    const recoveredMs = performance.now() - freed;
    for (const socket of newcomers) socket.destroy();
    const outcomes = await load.stop();
    record(
      'descriptors',
      `with none left: ${failed(outcomes).length} of ${outcomes.length.toLocaleString('en')} failed on open connections, \`/health\` says "${told}", others in ${ms(recoveredMs)} after there are some again`,
    );
    // A request that would have needed one more connection to the database is refused, and told so.
    expect(summary(failed(outcomes).filter(({ status, problem }) => !(status === 503 && problem)))).toBe(
      'none',
    );
    expect(failed(outcomes).filter(({ at }) => at > freed + recoveredMs + within(2_000))).toEqual([]);
    expect(recoveredMs).toBeLessThan(within(2_000));
    expect(await server.end()).toBe(0);
    await ledger.settle(database.url);
  });
});

/** A visitor whose request is begun and not finished. */
function busyConnection(port: number) {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(
    `POST ${SUBJECT.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n${headerLines(user.headers)}\r\n`,
  );
  return socket.resume();
}

it('a soak at high load leaves nothing behind', async () => {
  const database = await createDatabase();
  const reports = await mkdtemp(join(tmpdir(), 'reports-'));
  await using server = await startServer({
    DATABASE_URL: database.url,
    RATE_LIMIT_MAX: '100000000',
    LOG_LEVEL: 'warn',
    NODE_OPTIONS: `--report-directory=${reports}`,
  });
  await server.ready();
  const { pid = 0 } = server.child;
  const ledger = new Ledger();
  /** The heap after a collection, and what is open, between two rounds of load. */
  const look = async () => {
    const before = (await readdir(reports)).length;
    process.kill(pid, 'SIGUSR2');
    const file = await until('a report', async () => {
      const names = (await readdir(reports)).sort();
      return names.length > before && names.at(-1);
    });
    const text = await until('the whole report', async () => {
      const read = await readFile(join(reports, file), 'utf8');
      return read.endsWith('}') && read;
    });
    const { heapAfterCollection, libuv } = JSON.parse(text);
    const handles = libuv.filter(({ is_active }: { is_active: boolean }) => is_active).length as number;
    const files = (await readdir(`/proc/${pid}/fd`)).length;
    return { at: performance.now(), heap: heapAfterCollection.usedMiB as number, handles, files };
  };
  const rounds = 10;
  const roundMs = fullOrShort(30_000, 2_000);
  // What is loaded and compiled on the way is no leak.
  let outcomes = await Load.start(server.url, ledger, 0, 16).stopAfter(roundMs);
  const looks = [await look()];
  let answered = 0;
  for (let round = 0; round < rounds; round++) {
    outcomes = await Load.start(server.url, ledger, 0, 16).stopAfter(roundMs);
    expect(summary(failed(outcomes))).toBe('none');
    answered += outcomes.length;
    looks.push(await look());
  }
  const { slope, error } = line(looks.map(({ at, heap }) => [at / 60_000, heap]));
  const [first, last] = [looks[1], looks.at(-1)];
  const seconds = (rounds * roundMs) / 1_000;
  record(
    'soak',
    `${answered.toLocaleString('en')} requests in ${seconds} s (${Math.round(answered / seconds).toLocaleString('en')} a second); heap after collection ${looks[0]?.heap} → ${last?.heap} MiB, slope ${slope.toFixed(2)} ± ${(2 * error).toFixed(2)} MiB a minute; handles ${first?.handles} → ${last?.handles}, files ${first?.files} → ${last?.files}`,
  );
  // Zero lies within two standard errors, or what grew is too little to be told from them.
  expect(slope - 2 * error).toBeLessThan(fullOrShort(0.1, 3));
  expect(last?.handles).toBeLessThanOrEqual((first?.handles ?? 0) + 2);
  expect(last?.files).toBeLessThanOrEqual((first?.files ?? 0) + 2);
  expect(await server.end()).toBe(0);
  await ledger.settle(database.url);
  await rm(reports, { recursive: true });
});

/** Least squares. @returns the slope of a line through the points, and its standard error. */
function line(points: readonly (readonly [x: number, y: number])[]): { slope: number; error: number } {
  const n = points.length;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const sxx = points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  const slope = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / sxx;
  const rest = points.reduce((sum, [x, y]) => sum + (y - my - slope * (x - mx)) ** 2, 0);
  return { slope, error: Math.sqrt(rest / (n - 2) / sxx) };
}
