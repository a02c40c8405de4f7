/**
 * What a scraper reads, in Prometheus' text format.
 *
 * Everything is computed when it is read, from what is counted anyway; so a process that nobody scrapes pays nothing, and
 * the packages that write the text are loaded by the first scrape. Names follow Prometheus' own conventions and, where
 * those say nothing, OpenTelemetry's.
 */
import type { Durations } from './durations.ts';

type Labels = Readonly<Record<string, string>>;

interface Sample {
  value: number;
  labels?: Labels;
  /** Labels that many samples have in common, which are written out once. */
  sharedLabels?: Labels | { le: string };
  /** Where it is not the family's own. */
  metricName?: string;
}

/** One metric with all its series. */
export interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary';
  /** Called by each scrape. */
  read(): Iterable<Sample> | Promise<Iterable<Sample>>;
}

/** How much, by whatever tells the series apart. */
export type Measure = number | Iterable<readonly [Labels, number]>;

const one = (name: string, help: string, type: 'counter' | 'gauge', read: () => Measure): Family => ({
  name,
  help,
  type,
  read() {
    const measure = read();
    if (typeof measure === 'number') return [{ value: measure }];
    return Array.from(measure, ([labels, value]) => ({ labels, value }));
  },
});

/** @param name Ends in `_total`. @param read Its value, which only ever grows; or one for each set of labels. */
export const counter = (name: string, help: string, read: () => Measure): Family =>
  one(name, help, 'counter', read);

export const gauge = (name: string, help: string, read: () => Measure): Family =>
  one(name, help, 'gauge', read);

export const histogram = (
  name: string,
  help: string,
  read: () => Iterable<readonly [Labels, Durations]>,
): Family => ({
  name,
  help,
  type: 'histogram',
  *read() {
    for (const [labels, { bounds, counts, sumMs }] of read()) {
      let count = 0;
      const bucket = (le: string, place: number): Sample => {
        count += counts[place] as number;
        return { metricName: `${name}_bucket`, labels: { le }, sharedLabels: labels, value: count };
      };
      for (const [place, bound] of bounds.entries()) yield bucket(String(bound), place);
      yield bucket('+Inf', bounds.length);
      yield { metricName: `${name}_sum`, sharedLabels: labels, value: sumMs / 1_000 };
      yield { metricName: `${name}_count`, sharedLabels: labels, value: count };
    }
  },
});

/** Sum and count without quantiles: those of several processes could not be put together. */
export const sizes = (
  name: string,
  help: string,
  read: () => Iterable<readonly [Labels, { count: number; bytes: number }]>,
): Family => ({
  name,
  help,
  type: 'summary',
  *read() {
    for (const [labels, { count, bytes }] of read()) {
      if (count === 0) continue;
      yield { metricName: `${name}_sum`, labels, value: bytes };
      yield { metricName: `${name}_count`, labels, value: count };
    }
  },
});

/** Of `fastify-metrics`' client, what is needed here. */
interface Registry {
  contentType: string;
  registerMetric(metric: object): void;
  metrics(): Promise<string>;
}

interface Scrape {
  contentType: string;
  text: string;
}

export class Metrics {
  readonly #families: Family[] = [];
  readonly #makeRegistry: () => Promise<Registry>;
  #registry: Promise<Registry> | undefined;
  #scrape: Promise<Scrape> | undefined;

  /** @param makeRegistry Loads what writes the text; called by the first scrape. */
  constructor(makeRegistry: () => Promise<Registry>) {
    this.#makeRegistry = makeRegistry;
  }

  /** Adds metrics to those that are scraped. To be called before the first scrape. */
  add(...families: Family[]): void {
    this.#families.push(...families);
  }

  /** Every metric as it is now. Those who ask while one scrape is under way share its text. */
  scrape(): Promise<Scrape> {
    this.#scrape ??= this.#read().finally(() => {
      this.#scrape = undefined;
    });
    return this.#scrape;
  }

  async #read(): Promise<Scrape> {
    this.#registry ??= this.#makeRegistry().then((registry) => {
      for (const { name, help, type, read } of this.#families) {
        const get = async () => ({ name, help, type, values: Array.from(await read()) });
        registry.registerMetric({ name, help, type, get });
      }
      return registry;
    });
    const registry = await this.#registry;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }
}
