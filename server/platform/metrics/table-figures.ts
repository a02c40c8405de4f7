import type { BaseLogger } from 'pino';
import { findUnavailable } from '../database/pool/unavailable.ts';
import { apartFromRequests } from '../lib/request-work.ts';
import { type Family, gauge, type Measure } from './metrics.ts';

/** Rules are judged again and again while requests come: the table is asked this often at most, in milliseconds. */
const FRESH_MS = 15_000;
const STALE_MS = 120_000;

/** Figures that are read from a table when a scrape, a health check, a page or an alert rule asks for them. */
export abstract class TableFigures<Figures> {
  readonly #log: Pick<BaseLogger, 'warn'>;
  #last: { at: number; figures: Figures } | undefined;
  #flight: Promise<Figures> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** The activity before the last reading that succeeded. */
  #seen: number | undefined;

  constructor(log: Pick<BaseLogger, 'warn'>) {
    this.#log = log;
  }

  /** Asks the table. */
  protected abstract query(): Promise<Figures>;

  /**
   * Differs from what it was when the table may have changed. Rules are judged after a statement as well: without a change, reading
   * after each look would never end.
   */
  protected abstract activity(): number;

  /** What was last read. */
  protected get last(): Figures | undefined {
    return this.#last?.figures;
  }

  /**
   * Asks the table; those who ask at once share the answer.
   *
   * @throws DatabaseUnavailableError
   */
  read(): Promise<Figures> {
    this.#flight ??= apartFromRequests(() => this.#read()).finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** A gauge; it has no series where the table cannot be read, or `of` returns null. */
  protected gauge(name: string, help: string, of: (figures: Figures) => Measure | null): Family {
    return gauge(name, help, async () => {
      const figures = await this.#tolerant();
      return (figures && of(figures)) ?? [];
    });
  }

  /** An alert rule: a warning after a minute above the threshold. */
  protected rule<Limits extends object>(
    name: string,
    summary: string,
    limits: Limits,
    of: (figures: Figures) => number | null,
  ) {
    const value = (): number | null => {
      const figures = this.#recent();
      return figures && of(figures);
    };
    return { name, summary, severity: 'warning', forSeconds: 60, ...limits, value } as const;
  }

  /** What was last read. It is read again, to be newer at the next look, where it may have changed. */
  #recent(): Figures | null {
    const age = this.#last ? Math.abs(Date.now() - this.#last.at) : Number.POSITIVE_INFINITY;
    const mayDiffer = this.activity() !== this.#seen;
    if (mayDiffer && performance.now() - this.#askedAt > FRESH_MS) void this.#tolerant();
    return this.#last && (age < STALE_MS || !mayDiffer) ? this.#last.figures : null;
  }

  async #tolerant(): Promise<Figures | undefined> {
    try {
      return await this.read();
    } catch (err) {
      if (!findUnavailable(err)) this.#log.warn({ err }, 'the figures of a table could not be read');
      return undefined;
    }
  }

  async #read(): Promise<Figures> {
    this.#askedAt = performance.now();
    const activity = this.activity();
    const figures = await this.query();
    this.#seen = activity;
    this.#last = { at: Date.now(), figures };
    return figures;
  }
}
