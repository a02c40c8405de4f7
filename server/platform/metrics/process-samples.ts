import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks';
import { memoryLimit } from '../lib/memory.ts';
import { Durations } from './durations.ts';
import { heapLimit } from './heap-limit.ts';

/** What a process used between two samples. */
export interface ProcessSample {
  eventLoopUtilization: number;
  /** 99th percentile, in milliseconds. */
  eventLoopDelayMs: number;
  /** Cores in use: 1 is one core. */
  cpu: number;
  gcMsPerSecond: number;
}

/** Upper bounds of a collection's duration, in seconds: those of OpenTelemetry's `v8js.gc.duration`. */
const GC_BUCKETS = [0.01, 0.1, 1, 10];
/** As `perf_hooks.constants.NODE_PERFORMANCE_GC_…` numbers them. */
const KINDS: Record<number, 'minor' | 'major' | 'incremental' | 'weakcb'> = {
  1: 'minor',
  4: 'major',
  8: 'incremental',
  16: 'weakcb',
};

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
 * timer of Node's own, which runs from `start` to `stop`. Collections are told by V8 as they happen.
 */
export class ProcessSamples {
  /** The latest; undefined before the first. */
  latest: ProcessSample | undefined;
  /** Garbage collections since the first request, by kind. */
  readonly collections = {
    minor: new Durations(GC_BUCKETS),
    major: new Durations(GC_BUCKETS),
    incremental: new Durations(GC_BUCKETS),
    weakcb: new Durations(GC_BUCKETS),
  };
  #delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #observer: PerformanceObserver | undefined;
  #at = performance.now();
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #gcMs = 0;

  /** From here on there are samples. */
  start(): void {
    this.#delay ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#observer ??= this.#observeCollections();
    this.#begin();
  }

  /** What was is over: nobody shall read it an hour later. */
  stop(): void {
    this.latest = undefined;
    this.#delay?.disable();
  }

  /** Ends for good. */
  close(): void {
    this.stop();
    this.#observer?.disconnect();
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
    const gcMs = this.#gcMs;
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

  #observeCollections(): PerformanceObserver {
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
        this.#gcMs += entry.duration;
        this.collections[KINDS[kind] ?? 'minor'].add(entry.duration);
      }
    });
    observer.observe({ entryTypes: ['gc'] });
    return observer;
  }

  #begin(): void {
    this.#at = performance.now();
    this.#cpu = process.cpuUsage();
    this.#loop = performance.eventLoopUtilization();
    this.#gcMs = 0;
    this.#delay?.reset();
  }
}
