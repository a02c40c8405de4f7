/**
 * Adds load shedding: while there is more to do than this process can, a request is answered 503 with `Retry-After` before
 * any work is put into it.
 *
 * It stands first among the hooks of the features' routes, and applies to these alone: probes, files and `/api/status` cost
 * as little as a refusal, and operators must see what is going on. Signs of overload are read when a request comes, and each
 * passes by itself. `@fastify/under-pressure` is not used: it samples in an idle process, and takes one frozen moment for
 * overload.
 */
import { performance } from 'node:perf_hooks';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { unavailable } from '../lib/problem.ts';
import { heapFigures } from '../metrics/heap.ts';
import { HeapWatch } from '../metrics/heap-watch.ts';
import { ResidentWatch } from '../metrics/resident-watch.ts';
import type {} from './access/access.ts';
import type {} from './access/operators.ts';
import type {} from './handler-deadline.ts';

/** Handlers that run at once in one process; each holds 10 to 20 kB. */
const MAX_RUNNING = 2_000;
/** The queue for a connection is long when its first has waited this long while others were served. In milliseconds. */
const LONG_WAIT_MS = 200;
/** A burst, such as the requests that a cold start has held, is over within this time; what lasts longer is overload. */
const BURST_MS = 250;
/** For this long after a refusal, a long queue is no burst. */
const AFTERMATH_MS = 2_000;
/** The event loop is sampled this often while requests come. */
const SAMPLE_MS = 100;
/** The event loop is overloaded when so many samples in a row are this late, with hardly a pause between. */
const LATE_MS = 100;
const BUSY_SHARE = 0.95;
const LATE_SAMPLES = 3;

const REASONS = ['in-flight', 'database-queue', 'event-loop', 'memory', 'resident-memory'] as const;
type Reason = (typeof REASONS)[number];

/** Requests that were refused with 503, by reason. `body-memory` is counted by body-budget.ts. */
type ShedCounts = Record<Reason | 'body-memory', number>;

declare module 'fastify' {
  interface FastifyInstance {
    overload: { readonly shed: ShedCounts };
  }
}

/** @returns Counters for the whole application, where monitoring and body-budget.ts find them. */
export const shedCounts = (): ShedCounts =>
  Object.fromEntries([...REASONS, 'body-memory'].map((reason) => [reason, 0])) as ShedCounts;

export interface OverloadOptions {
  /** @returns How long the first in the queue for a connection has waited while others were served, in milliseconds. */
  waitedMs: () => number;
  maxRunning?: number;
  heap?: HeapWatch;
  resident?: ResidentWatch;
}

export const overload = fp<OverloadOptions>(async (app, options) => {
  const { log } = app;
  const { shed } = app.overload;
  const { waitedMs, maxRunning = MAX_RUNNING } = options;
  const queue = new QueueWatch(waitedMs);
  const loop = new LoopWatch();
  const heap =
    options.heap ??
    new HeapWatch(() =>
      log.warn(heapFigures(), 'the heap is nearly full after a collection: see Memory in docs/runbook.md'),
    );
  const resident =
    options.resident ??
    new ResidentWatch({
      onNearlyFull: (residentBytes, limitBytes) =>
        log.warn(
          { residentBytes, limitBytes },
          "resident memory is near the container's limit: see Memory in docs/runbook.md",
        ),
    });

  const reasonAt = (now: number): Reason | undefined => {
    if (queue.isLong(now)) return 'database-queue';
    if (app.handlersRunning() >= maxRunning) return 'in-flight';
    if (loop.late) return 'event-loop';
    if (heap.full(now)) return 'memory';
    if (resident.full(now)) return 'resident-memory';
    return undefined;
  };

  app.addHook('onRequest', (request, _reply, done) => {
    loop.watch();
    const reason = reasonAt(performance.now());
    if (reason === undefined || isOperator(request)) {
      done();
      return;
    }
    shed[reason]++;
    done(REFUSAL);
  });
  app.addHook('onClose', async () => {
    loop.stop();
    heap.stop();
  });
});

/** One for all refusals: a stack trace for each would cost as much as the rest of the answer. */
const REFUSAL = unavailable('The server is overloaded. Try again in a moment.');

/** Asked on operators' routes alone: elsewhere the answer would tell a right key from a wrong one. */
function isOperator(request: FastifyRequest): boolean {
  return request.routeOptions.config.access === 'operator' && request.operatorKey === 'right';
}

/** Tells a growing queue from a burst by how long its first has waited, not by its length. */
class QueueWatch {
  readonly #waitedMs: () => number;
  #longSince: number | undefined;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #readAt = 0;

  constructor(waitedMs: () => number) {
    this.#waitedMs = waitedMs;
  }

  isLong(now: number): boolean {
    const waited = this.#waitedMs();
    // Nothing is known of a time without requests, or in which the process was frozen.
    const gap = now - this.#readAt > BURST_MS;
    this.#readAt = now;
    if (waited < LONG_WAIT_MS) {
      this.#longSince = undefined;
      return false;
    }
    const again = now - this.#refusedAt < AFTERMATH_MS;
    if (this.#longSince === undefined || gap) this.#longSince = again ? now - BURST_MS : now;
    if (now - this.#longSince < BURST_MS) return false;
    this.#refusedAt = now;
    return true;
  }
}

/** Samples the event loop while requests come. */
class LoopWatch {
  late = false;
  #wanted = false;
  #timer: NodeJS.Timeout | undefined;
  #lastAt = 0;
  #last = performance.eventLoopUtilization();
  #lateInRow = 0;

  /** Samples for as long as this is called. */
  watch(): void {
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
