import { Sketch } from './sketch.ts';
import { Tally } from './tally.ts';

/** The history of the process has steps of this length, for an hour. */
export const STEP_MS = 5_000;
const STEPS = 720;

/** Figures that are sampled: at the end of a step, or the highest in it. */
export const SAMPLED = [
  ...(['inFlight', 'eventLoopDelayMs', 'eventLoopUtilization', 'cpu', 'rss'] as const),
  ...(['heapUsed', 'gcMsPerSecond', 'poolInUse', 'poolWaiting'] as const),
];
export type Sampled = Record<(typeof SAMPLED)[number], number>;

/** What happened in the whole process within one step. */
export class Step {
  /** Steps since 1970. */
  readonly number: number;
  readonly requests = new Tally();
  queries = new Sketch();
  acquires = new Sketch();
  refused = 0;
  /** Undefined if nothing was sampled in this step. */
  sampled: Sampled | undefined;

  constructor(number: number) {
    this.number = number;
  }

  /** Reduces the sketches to the memory that they need. */
  seal(): void {
    this.requests.sketch = this.requests.sketch.sealed();
    this.queries = this.queries.sealed();
    this.acquires = this.acquires.sealed();
  }
}

/** The steps of the last hour in which something happened. */
export class Steps {
  current: Step;
  /** By number modulo `STEPS`. */
  readonly #ring: (Step | undefined)[] = [];

  /** @param now Milliseconds since 1970, as everywhere here. */
  constructor(now: number) {
    this.current = this.#begin(stepOf(now));
  }

  /** Begins the next step if the current one is over. */
  advance(now: number): void {
    const number = stepOf(now);
    if (number === this.current.number) return;
    this.current.seal();
    this.current = this.at(number) ?? this.#begin(number);
  }

  at(number: number): Step | undefined {
    const step = this.#ring[number % STEPS];
    return step?.number === number ? step : undefined;
  }

  /** Steps that began at a time or later, in no order. */
  since(time: number): Step[] {
    const first = firstFrom(time);
    return this.#ring.filter((step): step is Step => step !== undefined && step.number >= first);
  }

  #begin(number: number): Step {
    const step = new Step(number);
    this.#ring[number % STEPS] = step;
    return step;
  }
}

/** The step that contains a time. */
export const stepOf = (at: number): number => Math.floor(at / STEP_MS);
/** The first step that began at a time or later. */
export const firstFrom = (time: number): number => Math.ceil(time / STEP_MS);
