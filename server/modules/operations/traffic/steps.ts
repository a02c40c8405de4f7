import { Sketch } from './sketch.ts';
import { Tally } from './tally.ts';

/** The process as a whole is kept in steps of this length, for an hour. */
export const STEP_MS = 5_000;
const STEPS = 720;

/** What is sampled, at the end of a step or as the worst in it. */
export interface Sampled {
  inFlight: number;
  eventLoopDelayMs: number;
  eventLoopUtilization: number;
  cpu: number;
  rss: number;
  heapUsed: number;
  gcMsPerSecond: number;
  poolInUse: number;
  poolWaiting: number;
}

/** What happened in the whole process within one step. */
export class Step {
  /** Steps since 1970. */
  readonly number: number;
  readonly requests = new Tally();
  queries = new Sketch();
  acquires = new Sketch();
  refused = 0;
  /** Undefined where nobody looked. */
  sampled: Sampled | undefined;

  constructor(number: number) {
    this.number = number;
  }

  /** Takes no more room than it needs from here on. */
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

  /** Begins the next step, if its time has come. */
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

  /** Steps that did not begin before a time, in no order. */
  *since(time: number): Generator<Step> {
    const first = firstFrom(time);
    for (const step of this.#ring) if (step !== undefined && step.number >= first) yield step;
  }

  #begin(number: number): Step {
    const step = new Step(number);
    this.#ring[number % STEPS] = step;
    return step;
  }
}

/** The step that a time lies in. */
export const stepOf = (at: number): number => Math.floor(at / STEP_MS);
/** The first step that did not begin before a time. */
export const firstFrom = (time: number): number => Math.ceil(time / STEP_MS);
