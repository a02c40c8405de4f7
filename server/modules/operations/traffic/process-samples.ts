import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { memoryLimit } from '../../../platform/lib/memory.ts';
import { heapLimit } from '../../../platform/metrics/heap-limit.ts';

/** What a process used between two samples. */
export interface ProcessSample {
  eventLoopUtilization: number;
  /** 99th percentile, in milliseconds. */
  eventLoopDelayMs: number;
  /** Cores in use: 1 is one core. */
  cpu: number;
  gcMsPerSecond: number;
}

/** The delay of a timer that is due this often is what is measured, in milliseconds. */
const RESOLUTION_MS = 10;
/** A sample that is this much too late was taken by a blocked process, or by one that had been frozen. */
const LATE_MS = 1_000;
/** A blocked process works; one that was frozen has hardly used its time. */
const FROZEN_SHARE = 0.2;

export const CORES: number = availableParallelism();
export const HEAP_LIMIT: number = heapLimit();
export const MEMORY_LIMIT: number | null = memoryLimit();

/**
 * Looks at the process while somebody wants to know, and at no other time: the delay of the event loop is measured by a
 * timer of Node's own, which runs from `start` to `stop`.
 */
export class ProcessSamples {
  /** The latest; undefined before the first. */
  latest: ProcessSample | undefined;
  #delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #at = performance.now();
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #collectedMs = 0;
  readonly #collections: { readonly totalMs: number };

  /** @param collections How long garbage was collected since the process began. */
  constructor(collections: { readonly totalMs: number }) {
    this.#collections = collections;
  }

  /** From here on there are samples. */
  start(): void {
    this.#delay ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#begin();
  }

  /** What was is over: nobody shall read it an hour later. */
  stop(): void {
    this.latest = undefined;
    this.#delay?.disable();
  }

  /**
   * What was used since the last call, or since `start`.
   *
   * @param periodMs How long ago that should be. A process that was frozen meanwhile gives no sample: its clocks say that
   *   it was late by minutes, and it was not.
   */
  take(periodMs: number): ProcessSample | undefined {
    const elapsedMs = performance.now() - this.#at;
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpuMs = (user + system) / 1_000;
    const { utilization } = performance.eventLoopUtilization(this.#loop);
    const delayMs = (this.#delay?.percentile(99) ?? 0) / 1e6;
    const gcMs = this.#collections.totalMs - this.#collectedMs;
    this.#begin();
    if (elapsedMs > periodMs + LATE_MS && cpuMs < elapsedMs * FROZEN_SHARE) return undefined;
    this.latest = {
      eventLoopUtilization: utilization,
      // The timer's own period is no delay.
      eventLoopDelayMs: Math.max(0, delayMs - RESOLUTION_MS),
      cpu: cpuMs / elapsedMs,
      gcMsPerSecond: (gcMs / elapsedMs) * 1_000,
    };
    return this.latest;
  }

  #begin(): void {
    this.#at = performance.now();
    this.#cpu = process.cpuUsage();
    this.#loop = performance.eventLoopUtilization();
    this.#collectedMs = this.#collections.totalMs;
    this.#delay?.reset();
  }
}
