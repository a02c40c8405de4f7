import { PerformanceObserver } from 'node:perf_hooks';
import { Durations } from './durations.ts';

/** Upper bounds of a collection's duration, in seconds: those of OpenTelemetry's `v8js.gc.duration`. */
const BUCKETS = [0.01, 0.1, 1, 10];
/** As `perf_hooks.constants.NODE_PERFORMANCE_GC_…` numbers them. */
const KINDS: Record<number, 'minor' | 'major' | 'incremental' | 'weakcb'> = {
  1: 'minor',
  4: 'major',
  8: 'incremental',
  16: 'weakcb',
};

/** Garbage collections, of which V8 tells as they happen: no timer looks for them. */
export class Collections {
  readonly byKind = {
    minor: new Durations(BUCKETS),
    major: new Durations(BUCKETS),
    incremental: new Durations(BUCKETS),
    weakcb: new Durations(BUCKETS),
  };
  /** All of them together, in milliseconds. */
  totalMs = 0;
  #observer: PerformanceObserver | undefined;

  begin(): void {
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
        this.totalMs += entry.duration;
        this.byKind[KINDS[kind] ?? 'minor'].add(entry.duration);
      }
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  end(): void {
    this.#observer?.disconnect();
  }
}
