import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { headerLines } from '../../tests/support/raw-http.ts';
import { headersOf } from './contender.ts';

/** Whatever has arrived is read, then it goes on. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What became of requests that were sent at a fixed rate, whether the ones before had been answered or not. */
export interface OpenLoop {
  sent: number;
  /** Milliseconds from the moment when a request was due, by status; 0 stands for no answer at all. */
  times: Map<number, number[]>;
  /** Refusals that did not say when to come back. */
  withoutRetryAfter: number;
}

type Answered = (line: Line, status: number, retryAfter: boolean) => void;

/** Every connection reads into it; what it holds is looked at before the next one does. */
const ROOM = Buffer.allocUnsafe(64 * 1_024);
const END_OF_HEAD = '\r\n\r\n';

/** A keep-alive connection with at most one request under way: as little work as a client can have. */
class Line {
  /** When its request should have been sent (`performance.now()`). */
  due = 0;
  readonly #socket: Socket;
  #head = '';
  #left = 0;
  #waiting = false;
  /** Length of the last answer's body: most answers are one piece and as long as the last. */
  #usual = -1;
  readonly #answered: Answered;

  /** @param answered Told with status 0 where the connection ends without an answer. */
  constructor(port: number, answered: Answered, ended: (line: Line) => void) {
    this.#answered = answered;
    const callback = (length: number) => {
      this.#read(length);
      return true;
    };
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: ROOM, callback },
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      ended(this);
      this.#finish(0, false);
    });
  }

  send(request: string): void {
    this.#waiting = true;
    this.#socket.write(request, 'latin1');
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(length: number): void {
    if (this.#left > 0) this.#left -= length;
    else {
      const head = length - this.#usual;
      const isUsual = this.#head === '' && ROOM.toString('latin1', 0, 12) === 'HTTP/1.1 200';
      if (isUsual && head > 4 && ROOM.toString('latin1', head - 4, head) === END_OF_HEAD) {
        this.#finish(200, false);
        return;
      }
      this.#head += ROOM.toString('latin1', 0, length);
      const end = this.#head.indexOf(END_OF_HEAD);
      if (end === -1) return;
      this.#usual = Number(/\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1] ?? 0);
      this.#left = this.#usual - (this.#head.length - end - 4);
    }
    if (this.#left > 0) return;
    const head = this.#head;
    this.#head = '';
    this.#left = 0;
    this.#finish(Number(head.slice(9, 12)), /\r\nretry-after: /i.test(head));
  }

  #finish(status: number, retryAfter: boolean): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#answered(this, status, retryAfter);
  }
}

const get = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headerLines(headersOf(path))}\r\n`;

/** What both sides need to get going after a rest is no latency of the server's. In milliseconds. */
const LEAD_IN_MS = 1_000;

/** @returns Requests a second that are answered 200 to so many clients, each of which waits for its answer. */
export async function closedLoop(
  port: number,
  path: string,
  clients: number,
  seconds: number,
): Promise<number> {
  let answered = 0;
  let going = true;
  const next: Answered = (line, status) => {
    if (status === 200) answered++;
    if (going && status !== 0) line.send(get(path));
  };
  const lines = Array.from({ length: clients }, () => new Line(port, next, () => {}));
  for (const line of lines) line.send(get(path));
  await sleep(1_000);
  answered = 0;
  const began = performance.now();
  await sleep(seconds * 1_000);
  const rate = (answered / (performance.now() - began)) * 1_000;
  going = false;
  for (const line of lines) line.end();
  return rate;
}

/**
 * Sends so many requests a second for so long, whether those before have been answered or not; what is late counts from when
 * it was due.
 *
 * @param connections So many are opened before it begins, and no more: who finds none free waits, and the wait counts.
 *   As many as it takes by default. With a number, the first second comes on top, and is not told of.
 */
export async function openLoop(
  port: number,
  path: string,
  rate: number,
  seconds: number,
  connections?: number,
): Promise<OpenLoop> {
  const result: OpenLoop = { sent: 0, times: new Map(), withoutRetryAfter: 0 };
  const free: Line[] = [];
  const all = new Set<Line>();
  const request = get(path);
  let under = 0;
  /** When those who wait for a connection were due; from `next` on. */
  const waiting: number[] = [];
  let next = 0;
  let from = 0;
  const send = (line: Line, due: number) => {
    line.due = due;
    under++;
    result.sent++;
    line.send(request);
  };
  const answered: Answered = (line, status, retryAfter) => {
    under--;
    let times = result.times.get(status);
    if (times === undefined) {
      times = [];
      result.times.set(status, times);
    }
    if (line.due >= from) times.push(performance.now() - line.due);
    if (status === 503 && !retryAfter) result.withoutRetryAfter++;
    if (status === 0) return;
    if (next < waiting.length) send(line, waiting[next++] as number);
    else free.push(line);
  };
  const another = () => {
    const line = new Line(port, answered, (ended) => {
      all.delete(ended);
      const at = free.indexOf(ended);
      if (at >= 0) free.splice(at, 1);
    });
    all.add(line);
    return line;
  };
  for (let i = 0; i < (connections ?? 0); i++) free.push(another());
  if (connections) await sleep(200);
  const leadIn = connections === undefined ? 0 : LEAD_IN_MS;
  const began = performance.now();
  from = began + leadIn;
  let due = 0;
  for (;;) {
    const elapsed = performance.now() - began;
    if (elapsed >= seconds * 1_000 + leadIn) break;
    for (const until = (elapsed / 1_000) * rate; due < until; due++) {
      const at = began + (due / rate) * 1_000;
      const line = free.pop() ?? (connections === undefined ? another() : undefined);
      if (line) send(line, at);
      else waiting.push(at);
    }
    // Without a rest: a timer would come a millisecond late, and what was due then would leave in one burst.
    await turn();
  }
  const limit = performance.now() + 10_000;
  while (under > 0 && performance.now() < limit) await sleep(20);
  for (const line of all) line.end();
  return result;
}

/** @param share 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
