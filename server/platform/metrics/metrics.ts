/**
 * What `/metrics` shows: a registry of `fastify-metrics`' Prometheus client.
 *
 * Gauges and counters are read by each scrape from what the process counts anyway, so a process that is not scraped pays
 * nothing for them. Names follow Prometheus' own conventions and, where those say nothing, OpenTelemetry's.
 */
import type { IFastifyMetrics } from 'fastify-metrics';

type Client = IFastifyMetrics['client'];
type Registry = InstanceType<Client['Registry']>;
export type Histogram = InstanceType<Client['Histogram']>;

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  value: number;
  labels?: Labels;
  /** Where it is not the family's own. */
  metricName?: string;
}

/** One metric with all its series. */
export interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'summary';
  /** Called by each scrape. */
  read(): Promise<Iterable<Sample>> | Iterable<Sample>;
}

/** One value, or one for each set of labels. */
export type Measure = number | Iterable<readonly [Labels, number]>;

const family =
  (type: Family['type']) =>
  (name: string, help: string, measured: () => Measure | Promise<Measure>): Family => ({
    name,
    help,
    type,
    async read() {
      const measure = await measured();
      if (typeof measure === 'number') return [{ value: measure }];
      return Array.from(measure, ([labels, value]) => ({ labels, value }));
    },
  });

/** A value that only grows. Its name ends in `_total`. */
export const counter = family('counter');
export const gauge = family('gauge');

/** A counter of what ended, and how. @param label What is counted, such as `queue`: its values come from the code, never from outside. */
export function outcomeCounter<Outcome extends string>(
  name: string,
  help: string,
  label: string,
  outcomes: readonly Outcome[],
): { count(of: string, outcome: Outcome): void; metric: Family } {
  const counted = new Map<string, Map<Outcome, number>>();
  return {
    count(of, outcome) {
      const counts = counted.get(of) ?? new Map(outcomes.map((one) => [one, 0]));
      counted.set(of, counts.set(outcome, (counts.get(outcome) ?? 0) + 1));
    },
    metric: counter(name, help, () =>
      [...counted].flatMap(([of, counts]) =>
        Array.from(counts, ([outcome, count]) => [{ [label]: of, outcome }, count] as const),
      ),
    ),
  };
}

/** Sum and count without quantiles: those of several processes could not be added up. */
export const summary = (
  name: string,
  help: string,
  measured: () => Iterable<readonly [Labels, { readonly count: number; readonly sum: number }]>,
): Family => ({
  name,
  help,
  type: 'summary',
  read() {
    return Array.from(measured()).flatMap(([labels, { count, sum }]) => [
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]);
  },
});

/** Durations that a part observes. They are kept where metrics are on, from the time that the registry has it. */
export class Durations {
  readonly name: string;
  readonly #register: (metrics: Metrics) => Histogram;
  #histogram: Histogram | undefined;

  /** @param name Ends in `_seconds`. @param buckets Upper bounds, in seconds. */
  constructor(name: string, help: string, buckets: number[], labelNames: string[]) {
    this.name = name;
    this.#register = (metrics) => metrics.histogram(name, help, buckets, labelNames);
  }

  observe(labels: Labels, ms: number): void {
    this.#histogram?.observe(labels, ms / 1_000);
  }

  registerIn(metrics: Metrics): void {
    this.#histogram = this.#register(metrics);
  }
}

/** What a part brings to `/metrics`. */
export type Metric = Family | Durations;

interface Scrape {
  contentType: string;
  text: string;
}

export class Metrics {
  readonly #client: Client;
  readonly #registry: Registry;
  #scrape: Promise<Scrape> | undefined;

  constructor(client: Client) {
    this.#client = client;
    this.#registry = new client.Registry();
  }

  /** @throws Error where there is a metric of that name. */
  add(...all: readonly Metric[]): void {
    for (const metric of all) {
      if (metric instanceof Durations) {
        metric.registerIn(this);
        continue;
      }
      const { name, help, type, read } = metric;
      const get = async () => ({ name, help, type, values: Array.from(await read()) });
      this.#registry.registerMetric({ name, help, type, get } as never);
    }
  }

  /** @param buckets Upper bounds, in seconds. @throws Error where there is a metric of that name. */
  histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new this.#client.Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }

  /** Every metric as it is now. Requests that come while one scrape is under way share its text. */
  scrape(): Promise<Scrape> {
    this.#scrape ??= this.#read().finally(() => {
      this.#scrape = undefined;
    });
    return this.#scrape;
  }

  async #read(): Promise<Scrape> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
