/**
 * Adds an early end to what could only be answered late: while there is more to do than can be done, a request is answered
 * 503 with `Retry-After` before any work is put into it.
 *
 * It stands around the features alone. Probes, files and `/api/status` cost as little as a refusal does, and operators
 * must be able to look at what is going on. Each sign of overload is looked at when a request comes, and each of them
 * passes by itself: nothing is remembered that only a further request could end. `@fastify/under-pressure` is not used: it
 * samples for ever, also in an idle process, and takes one frozen moment for overload.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { PROBLEM_MEDIA_TYPE, ProblemError, pathOf, problemDocument } from '../lib/problem.ts';
import { heapFigures } from '../metrics/heap.ts';
import { heapLimit } from '../metrics/heap-limit.ts';
import { ResidentWatch } from '../metrics/resident-watch.ts';
import type {} from './access/access.ts';
import type {} from './access/operators.ts';
import type {} from './handler-deadline.ts';
import { HeaderBlock, writeHead } from './quick-response.ts';

/** Handlers at work in one process; each holds some 10 to 20 kB. */
const MAX_RUNNING = 2_000;
/** Who has waited this long for a connection while others were served stands in a queue that grows. In milliseconds. */
const LONG_WAIT_MS = 200;
/** A burst, such as a cold start lets go at once, is worked off within this time; what lasts longer is overload. */
const BURST_MS = 250;
/** For so long after a refusal no burst is believed in. */
const AFTERMATH_MS = 2_000;
/** The event loop is looked at this often while requests come. */
const SAMPLE_MS = 100;
/** A loop that is this late, and does not rest, has more to do than it can. One late turn is not enough to say so. */
const LATE_MS = 100;
const BUSY_SHARE = 0.95;
const LATE_SAMPLES = 3;
/**
 * Of the heap's limit, after a collection. Between the two, what was decided stays decided. V8 ends a process above 0.8 when
 * four collections in a row give little back and take most of the time (`CheckIneffectiveMarkCompact` in its heap.cc).
 */
const FULL_SHARE = 0.8;
const ROOMY_SHARE = 0.7;
/** From here on it is said, once for each approach. */
const NEARLY_FULL_SHARE = 0.75;
/** What a collection has found is worth this long: refusing leaves so little garbage that the next may be far away. */
const HEAP_KNOWN_MS = 5_000;

export type OverloadReason = 'in-flight' | 'database-queue' | 'event-loop' | 'memory' | 'resident-memory';

declare module 'fastify' {
  interface FastifyInstance {
    overload: OverloadFacts;
  }
}

/** For monitoring, which sees the whole application and not only the features. */
export class OverloadFacts {
  /** Why requests are refused at this moment; undefined while they are not. */
  reason: () => OverloadReason | undefined = () => undefined;
  /** How many were refused, by reason. */
  readonly shed: Record<OverloadReason | 'body-memory', number> = {
    'in-flight': 0,
    'database-queue': 0,
    'event-loop': 0,
    memory: 0,
    'resident-memory': 0,
    // Those are counted by body-budget.ts.
    'body-memory': 0,
  };
}

export interface OverloadOptions {
  /** How long the first of those who wait for a connection has waited while others were served, in milliseconds. */
  waitedMs: () => number;
  mostRunning?: number;
  heap?: HeapWatch;
  resident?: ResidentWatch;
}

export const overload = fp<OverloadOptions>(
  async (app, { waitedMs, mostRunning = MAX_RUNNING, heap = new HeapWatch(), ...options }) => {
    const { resident = new ResidentWatch() } = options;
    resident.onNearlyFull = (residentBytes, limitBytes) =>
      app.log.warn(
        { residentBytes, limitBytes },
        "resident memory is near the container's limit: see Memory in docs/runbook.md",
      );
    heap.onNearlyFull = () =>
      app.log.warn(
        heapFigures(),
        'the heap is nearly full after a collection: see Memory in docs/runbook.md',
      );
    const loop = new LoopWatch();
    const queue = new QueueWatch(waitedMs);

    const why = (now: number): OverloadReason | undefined => {
      if (queue.tooLong(now)) return 'database-queue';
      if (app.handlersRunning() >= mostRunning) return 'in-flight';
      if (loop.late) return 'event-loop';
      if (heap.full(now)) return 'memory';
      if (resident.full(now)) return 'resident-memory';
      return undefined;
    };
    app.overload.reason = () => why(performance.now());

    app.addHook('onRequest', (request, _reply, done) => {
      loop.look();
      const reason = why(performance.now());
      if (reason === undefined || isOperator(request)) {
        done();
        return;
      }
      app.overload.shed[reason]++;
      done(new ProblemError('unavailable', DETAIL, { headers: { 'retry-after': RETRY_AFTER } }));
    });
    app.addHook('onClose', async () => {
      loop.stop();
      heap.stop();
    });
  },
);

/** Asked of operators' routes alone: elsewhere the answer would tell a right key from a wrong one. */
function isOperator(request: FastifyRequest): boolean {
  return request.routeOptions.config?.access === 'operator' && request.operatorKey === 'right';
}

const DETAIL = 'There is more to do than can be done. Try again in a moment.';
const RETRY_AFTER = '1';

/**
 * Refuses before the application is even asked, where it is certain what it would say: a flood of refusals must leave time
 * for what was let in. Such a refusal is counted, and leaves no line in the log.
 *
 * @param handler The application.
 * @param parts.features What the addresses of features begin with, and those among them that are never refused.
 * @param parts.headers Sent along with every refusal.
 * @param parts.requestId As for every other request.
 * @param parts.onRefused Told of each refusal, with how long it took in milliseconds.
 */
export function refuseAtTheDoor(
  handler: RequestListener,
  facts: OverloadFacts,
  parts: {
    features: string;
    never: readonly string[];
    headers: Readonly<Record<string, string>>;
    requestId: (request: IncomingMessage) => string;
    onRefused: (request: IncomingMessage, ms: number) => void;
  },
): RequestListener {
  const { features, never, requestId, onRefused } = parts;
  const block = new HeaderBlock({
    ...parts.headers,
    'cache-control': 'no-store',
    'content-type': PROBLEM_MEDIA_TYPE,
    'retry-after': RETRY_AFTER,
  });
  return (request, response) => {
    const { url = '', headers } = request;
    const reason = url.startsWith(features) ? facts.reason() : undefined;
    if (
      reason === undefined ||
      // An operator, perhaps; and a body wants to be read, and watched for being slow.
      headers.authorization !== undefined ||
      headers['x-api-key'] !== undefined ||
      headers.cookie !== undefined ||
      headers['content-length'] !== undefined ||
      headers['transfer-encoding'] !== undefined ||
      never.some((address) => url.startsWith(address))
    ) {
      handler(request, response);
      return;
    }
    const came = performance.now();
    facts.shed[reason]++;
    const id = requestId(request);
    const document = problemDocument('unavailable', DETAIL, { instance: pathOf(url), requestId: id });
    const body = JSON.stringify(document);
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    writeHead(response, 503, block, length, 'x-request-id', id);
    response.end(request.method === 'HEAD' ? undefined : body);
    onRefused(request, performance.now() - came);
  };
}

/** Tells a queue that grows from a burst that is being worked off: by how long the first of it waits, not by its length. */
class QueueWatch {
  readonly #waitedMs: () => number;
  #longSince: number | undefined;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #seenAt = 0;

  constructor(waitedMs: () => number) {
    this.#waitedMs = waitedMs;
  }

  tooLong(now: number): boolean {
    const waited = this.#waitedMs();
    // Without anyone to look, a frozen process among them, nothing is known of the time between.
    const gap = now - this.#seenAt > BURST_MS;
    this.#seenAt = now;
    if (waited < LONG_WAIT_MS) {
      this.#longSince = undefined;
      return false;
    }
    // Right after an overload there are no bursts: what comes is the rest of it.
    const again = now - this.#refusedAt < AFTERMATH_MS;
    if (this.#longSince === undefined || gap) this.#longSince = again ? now - BURST_MS : now;
    if (now - this.#longSince < BURST_MS) return false;
    this.#refusedAt = now;
    return true;
  }
}

/** Looks at the event loop while requests come, and at no other time. */
class LoopWatch {
  late = false;
  #wanted = false;
  #timer: NodeJS.Timeout | undefined;
  #lastAt = 0;
  #last = performance.eventLoopUtilization();
  #lateInRow = 0;

  look(): void {
    this.#wanted = true;
    if (this.#timer !== undefined) return;
    this.#lastAt = performance.now();
    this.#last = performance.eventLoopUtilization();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  #sample(): void {
    const now = performance.now();
    const utilization = performance.eventLoopUtilization();
    const lateMs = now - this.#lastAt - SAMPLE_MS;
    const busy = performance.eventLoopUtilization(utilization, this.#last).utilization;
    this.#lastAt = now;
    this.#last = utilization;
    this.#lateInRow = lateMs >= LATE_MS && busy >= BUSY_SHARE ? this.#lateInRow + 1 : 0;
    this.late = this.#lateInRow >= LATE_SAMPLES;
    if (!this.#wanted && !this.late) this.stop();
    this.#wanted = false;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#lateInRow = 0;
    this.late = false;
  }
}

/** What is in use after a full collection: anything else says more about garbage than about need. */
export class HeapWatch {
  readonly #limit: number;
  readonly #used: () => number;
  readonly #observer: PerformanceObserver;
  #full = false;
  #said = false;
  #knownAt = Number.NEGATIVE_INFINITY;

  /** Told once for each time that little room is left. */
  onNearlyFull: () => void = () => {};

  /** @param limit In bytes. @param used Bytes in use at this moment. */
  constructor(limit: number = heapLimit(), used: () => number = () => getHeapStatistics().used_heap_size) {
    this.#limit = limit;
    this.#used = used;
    this.#observer = new PerformanceObserver((list) => {
      const full = list
        .getEntries()
        .some((entry) => (entry as unknown as GcEntry).detail.kind === MAJOR_COLLECTION);
      if (full) this.collected(performance.now());
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** A full collection has ended. */
  collected(now: number): void {
    const share = this.#used() / this.#limit;
    if (share >= NEARLY_FULL_SHARE && !this.#said) this.onNearlyFull();
    this.#said = share >= (this.#said ? ROOMY_SHARE : NEARLY_FULL_SHARE);
    this.#full = share >= FULL_SHARE || (this.full(now) && share >= ROOMY_SHARE);
    this.#knownAt = now;
  }

  full(now: number): boolean {
    return this.#full && now - this.#knownAt < HEAP_KNOWN_MS;
  }

  stop(): void {
    this.#observer.disconnect();
  }
}

/** `perf_hooks.constants.NODE_PERFORMANCE_GC_MAJOR`: mark and compact. */
const MAJOR_COLLECTION = 4;
interface GcEntry {
  detail: { kind: number };
}
