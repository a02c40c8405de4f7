import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { heapLimit, memoryLimit } from '../../../platform/lib/memory.ts';
import type { Sampled } from './steps.ts';

/** What a process used between two samples. `eventLoopDelayMs` is the 99th percentile. */
export type ProcessSample = Pick<
  Sampled,
  'eventLoopUtilization' | 'eventLoopDelayMs' | 'cpu' | 'gcMsPerSecond'
>;

/** Interval of the timer whose delay is measured, in milliseconds. */
const RESOLUTION_MS = 10;
/** A sample this late comes from a process that was blocked or frozen. */
const LATE_MS = 1_000;
/** A blocked process uses the processor. A frozen one used less than this share of the time. */
const FROZEN_SHARE = 0.2;

export const CORES: number = availableParallelism();
export const HEAP_LIMIT: number = heapLimit();
export const MEMORY_LIMIT: number | null = memoryLimit();

/** Samples the process from `start` to `stop`. In that time, a timer of Node measures the delay of the event loop. */
export class ProcessSamples {
  /** The latest; undefined before the first. */
  latest: ProcessSample | undefined;
  #delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #at = performance.now();
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #collectedMs = 0;
  readonly #collections: { readonly totalMs: number };

  /** @param collections Time spent on garbage collection since the start of the process. */
  constructor(collections: { readonly totalMs: number }) {
    this.#collections = collections;
  }

  start(): void {
    this.#delay ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#begin();
  }

  /** Also clears the latest sample, which would be outdated at the next start. */
  stop(): void {
    this.latest = undefined;
    this.#delay?.disable();
  }

  /**
   * Samples the time since the last call, or since `start`.
   *
   * @param periodMs The expected length of that time.
   * @returns Undefined if the process was frozen meanwhile: its clocks would report a delay of minutes.
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
      // Without the interval of the timer itself.
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
