import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

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

/** A keep-alive connection with at most one request under way: as little work as a client can have. */
class Line {
  readonly #socket: Socket;
  #head = '';
  #left = 0;
  #done: ((status: number, retryAfter: boolean) => void) | undefined;

  constructor(port: number, ended: (line: Line) => void) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      ended(this);
      this.#finish(0, false);
    });
  }

  send(request: string, done: (status: number, retryAfter: boolean) => void): void {
    this.#done = done;
    this.#socket.write(request);
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left > 0) this.#left -= chunk.length;
    else {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1];
      this.#left = Number(length ?? 0) - (this.#head.length - end - 4);
    }
    if (this.#left > 0) return;
    const head = this.#head;
    this.#head = '';
    this.#left = 0;
    this.#finish(Number(head.slice(9, 12)), /\r\nretry-after: /i.test(head));
  }

  #finish(status: number, retryAfter: boolean): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(status, retryAfter);
  }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`;

/** @returns Requests a second that are answered 200 to so many clients, each of which waits for its answer. */
export async function closedLoop(
  port: number,
  path: string,
  clients: number,
  seconds: number,
): Promise<number> {
  let answered = 0;
  let going = true;
  const lines = Array.from({ length: clients }, () => new Line(port, () => {}));
  for (const line of lines) {
    const next = (status: number) => {
      if (status === 200) answered++;
      if (going) line.send(get(path), next);
    };
    line.send(get(path), next);
  }
  await sleep(1_000);
  answered = 0;
  const began = performance.now();
  await sleep(seconds * 1_000);
  const rate = (answered / (performance.now() - began)) * 1_000;
  going = false;
  for (const line of lines) line.end();
  return rate;
}

/** Sends so many requests a second for so long, on as many connections as that takes. */
export async function openLoop(port: number, path: string, rate: number, seconds: number): Promise<OpenLoop> {
  const result: OpenLoop = { sent: 0, times: new Map(), withoutRetryAfter: 0 };
  const free: Line[] = [];
  const all = new Set<Line>();
  const request = get(path);
  let under = 0;
  const began = performance.now();
  const one = (due: number) => {
    let line = free.pop();
    if (line === undefined) {
      line = new Line(port, (ended) => {
        all.delete(ended);
        const at = free.indexOf(ended);
        if (at >= 0) free.splice(at, 1);
      });
      all.add(line);
    }
    const used = line;
    under++;
    result.sent++;
    used.send(request, (status, retryAfter) => {
      under--;
      const times = result.times.get(status) ?? [];
      result.times.set(status, times);
      times.push(performance.now() - due);
      if (status === 503 && !retryAfter) result.withoutRetryAfter++;
      if (status !== 0) free.push(used);
    });
  };
  for (;;) {
    const elapsed = performance.now() - began;
    if (elapsed >= seconds * 1_000) break;
    const due = Math.floor((elapsed / 1_000) * rate);
    while (result.sent < due) one(began + (result.sent / rate) * 1_000);
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
