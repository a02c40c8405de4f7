import { Sketch } from './sketch.ts';

/** Counts and durations of the requests in one step. */
export class Tally {
  requests = 0;
  clientErrors = 0;
  errors = 0;
  maxMs = 0;
  sketch = new Sketch();

  merge(other: Tally): void {
    this.requests += other.requests;
    this.clientErrors += other.clientErrors;
    this.errors += other.errors;
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs;
    this.sketch.merge(other.sketch);
  }

  clear(): void {
    this.requests = this.clientErrors = this.errors = this.maxMs = 0;
    this.sketch.clear();
  }
}
