import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepPostgres } from '../../scripts/postgres/keep.mjs';
import { headerLines } from '../../tests/support/raw-http.ts';
import { ROOT } from '../../tests/support/server.ts';
import { headersOf, prepareDatabase, startContender } from './contender.ts';
import { flightline } from './json.ts';
import { quantile } from './open-loop.ts';

const SLOW = Number(process.env.BENCH_SLOW ?? 2_000);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 30);
/** More bytes than the buffers of both ends of a connection on loopback hold: 3.6 MB were measured. */
const SYSTEM_BUFFERS = 8 * 2 ** 20;
/** 256 kbit/s, as an upload over a bad line has. */
const UPLOAD_BYTES_PER_SECOND = 32 * 1_024;

const post = (length: number) =>
  `POST /api/notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${headerLines(headersOf('/api/notes'))}\r\n`;

/** Thousands of clients that send headers, bodies or read answers as slowly as they can, and a few honest ones. */
export async function slowClientsSuite(): Promise<void> {
  const postgres = await keepPostgres({
    folder: join(ROOT, '.data/bench-postgres'),
    database: 'slow_clients',
    durable: false,
    log: () => {},
  });
  await postgres.ready;
  await prepareDatabase(postgres.url);
  const ours = flightline(postgres.url);
  const env = { ...ours.env, LOG_LEVEL: 'fatal', BODY_LIMIT_BYTES: `${2 ** 20}` };
  const server = await startContender({ ...ours, name: 'this server', env });
  const url = `http://127.0.0.1:${server.port}`;
  const page = await (await fetch(url)).text();
  const named = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(([, path]) => path as string);
  const sizes = await Promise.all(
    named.map(async (path) => {
      const whole = await fetch(`${url}${path}`, { headers: { 'accept-encoding': 'identity' } });
      return [path, (await whole.arrayBuffer()).byteLength] as const;
    }),
  );
  const [asset, size] = sizes.reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0]);
  if (size === 0) throw new Error('the page names no script');

  const lasted: Record<string, number[]> = { headers: [], body: [], read: [] };
  const opened: Record<string, number> = { headers: 0, body: 0, read: 0 };
  let going = true;
  const kinds = {
    headers: ['GET / HTTP/1.1\r\nHost: a\r\n', 'X-A: b\r\n'],
    body: [`${post(100_000)}{`, ' '],
    // More than the system takes by itself, which is megabytes for each: hence the fewest of this kind.
    read: [`GET ${asset} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(Math.ceil(SYSTEM_BUFFERS / size)), ''],
  } as const;
  const slow = (kind: keyof typeof kinds) => {
    const [first, more] = kinds[kind];
    const socket: Socket = connect({ port: server.port, host: '127.0.0.1' });
    const began = performance.now();
    opened[kind] = (opened[kind] ?? 0) + 1;
    socket.on('connect', () => socket.write(first));
    socket.on('error', () => {});
    const drip = setInterval(() => {
      // A socket that is not read learns of its end by writing; before it is due, that would be a slow header.
      if (kind === 'read' && performance.now() - began < 11_000) return;
      if (socket.writable) socket.write(kind === 'read' ? 'G' : more);
    }, 1_000);
    if (kind !== 'read') socket.resume();
    socket.on('close', () => {
      clearInterval(drip);
      if (!going) return;
      lasted[kind]?.push(performance.now() - began);
      // As an attacker does: again.
      if (performance.now() - start < (SECONDS - 13) * 1_000) slow(kind);
    });
    ended.push(() => socket.destroy());
  };
  const ended: (() => void)[] = [];
  const start = performance.now();
  for (let i = 0; i < SLOW; i++) {
    slow(i % 10 === 9 ? 'read' : i % 2 ? 'body' : 'headers');
    if (i % 100 === 99) await sleep(20);
  }

  const uploading = upload(server.port);
  let asked = 0;
  let served = 0;
  const times: number[] = [];
  while (performance.now() - start < SECONDS * 1_000) {
    const began = performance.now();
    asked++;
    const path = asked % 2 ? '/api/notes' : '/';
    const answer = await fetch(url + path, { headers: headersOf(path) }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) served++;
    times.push(performance.now() - began);
    await sleep(10);
  }
  const status = await uploading;
  going = false;
  for (const end of ended) end();
  console.log(
    `honest: ${served} of ${asked} served; p50 ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms`,
  );
  console.log(`upload of 1 MiB at 256 kbit/s: ${status}`);
  for (const [kind, all] of Object.entries(lasted)) {
    const longest = all.reduce((most, one) => Math.max(most, one), 0);
    console.log(
      `slow ${kind}: ${opened[kind]} opened, ${all.length} let go; after ${(quantile(all, 0.5) / 1_000).toFixed(1)} s, at most ${(longest / 1_000).toFixed(1)} s`,
    );
  }
  await server.end();
  await postgres.release();
}

/** @returns The status of a note whose JSON is mostly space. */
async function upload(port: number): Promise<number> {
  const length = 2 ** 20;
  const begin = '{"title":"a slow line"';
  const socket = connect({ port, host: '127.0.0.1' });
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  let open = true;
  socket
    .on('error', () => {})
    .on('close', () => {
      open = false;
    });
  socket.write(`${post(length)}${begin}`);
  let left = length - begin.length - 1;
  while (left > 0 && open) {
    const part = Math.min(left, UPLOAD_BYTES_PER_SECOND / 4);
    socket.write(' '.repeat(part));
    left -= part;
    await sleep(250);
  }
  socket.write('}');
  for (let i = 0; i < 500 && open && said === ''; i++) await sleep(10);
  socket.destroy();
  return Number(said.slice(9, 12));
}
