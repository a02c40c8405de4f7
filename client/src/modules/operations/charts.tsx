import { useMemo } from 'react';
import type { TrafficHistory } from '#contracts/operations/traffic.ts';
import { Chart, type Series } from '@/kit/components/chart.tsx';
import { useLive } from './live.ts';
import { cores, milliseconds, number, percent, perSecond } from './units.ts';

/** A chart's definition. */
export type ChartOf<From> = {
  title: string;
  note?: string;
  series: (history: From) => Series[];
  format: (value: number) => string;
  least: number;
  gap?: string;
};

const MEBIBYTE = 1_048_576;
const inMebibytes = (values: TrafficHistory['rss']) => values.map((value) => value && value / MEBIBYTE);
const mebibytes = (value: number) => `${number(value)} MiB`;

type Rates = Pick<TrafficHistory, 'requestsPerSecond' | 'errorsPerSecond' | 'p50Ms' | 'p95Ms' | 'p99Ms'>;

/** Charts available per route. */
export const RATES = {
  requests: {
    title: 'Requests',
    series: (history) => [{ name: 'answered', values: history.requestsPerSecond, stroke: 'first' }],
    format: perSecond,
    least: 1,
    gap: 'no traffic',
  },
  errors: {
    title: 'Errors',
    series: (history) => [
      { name: 'answers of 500 or more', values: history.errorsPerSecond, stroke: 'failing' },
    ],
    format: perSecond,
    least: 0.1,
    gap: 'no traffic',
  },
  duration: {
    title: 'Duration',
    note: 'of requests',
    series: (history) => [
      { name: 'p50', values: history.p50Ms, stroke: 'first' },
      { name: 'p95', values: history.p95Ms, stroke: 'second' },
      { name: 'p99', values: history.p99Ms, stroke: 'third' },
    ],
    format: milliseconds,
    least: 5,
    gap: 'no traffic',
  },
} satisfies Record<string, ChartOf<Rates>>;

/** The process's charts. */
export const CHARTS = {
  ...RATES,
  inFlight: {
    title: 'In flight',
    series: (history) => [{ name: 'requests under way', values: history.inFlight, stroke: 'first' }],
    format: number,
    least: 5,
  },
  refused: {
    title: 'Refused',
    series: (history) => [
      { name: 'by a limit or overload', values: history.refusedPerSecond, stroke: 'failing' },
    ],
    format: perSecond,
    least: 0.1,
    gap: 'no traffic',
  },
  eventLoopDelay: {
    title: 'Event loop delay',
    series: (history) => [{ name: 'p99', values: history.eventLoopDelayMs, stroke: 'first' }],
    format: milliseconds,
    least: 20,
  },
  eventLoopUse: {
    title: 'Event loop in use',
    series: (history) => [{ name: 'of the time', values: history.eventLoopUtilization, stroke: 'first' }],
    format: percent,
    least: 1,
  },
  cpu: {
    title: 'CPU',
    series: (history) => [{ name: 'in use', values: history.cpu, stroke: 'first' }],
    format: cores,
    least: 1,
  },
  memory: {
    title: 'Memory',
    series: (history) => [
      { name: 'resident', values: inMebibytes(history.rss), stroke: 'first' },
      { name: 'heap in use', values: inMebibytes(history.heapUsed), stroke: 'second' },
    ],
    format: mebibytes,
    least: 100,
  },
  collection: {
    title: 'Garbage collection',
    series: (history) => [{ name: 'of each second', values: history.gcMsPerSecond, stroke: 'first' }],
    format: milliseconds,
    least: 10,
  },
  pool: {
    title: 'Database connections',
    series: (history) => [
      { name: 'in use', values: history.poolInUse, stroke: 'first' },
      { name: 'waiting for one', values: history.poolWaiting, stroke: 'third' },
    ],
    format: number,
    least: 5,
  },
  queries: {
    title: 'Queries',
    series: (history) => [{ name: 'p95', values: history.queryP95Ms, stroke: 'first' }],
    format: milliseconds,
    least: 5,
    gap: 'no queries',
  },
} satisfies Record<string, ChartOf<TrafficHistory>>;

export const SPANS: Record<TrafficHistory['window'], number> = {
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
};

type Timed = { times: readonly number[]; stepMs: number };

/** A chart of a history. Rendered only when the history changes. */
export function ChartFrom<From extends Timed>({
  from,
  of,
  windowMs,
}: {
  from: From | undefined;
  of: ChartOf<From>;
  windowMs: number;
}) {
  const series = useMemo(
    () => (from ? of.series(from) : of.series({ times: [], stepMs: 1, ...EMPTY } as unknown as From)),
    [from, of],
  );
  return (
    <Chart
      title={of.title}
      {...(of.note ? { note: of.note } : {})}
      {...(of.gap ? { gap: of.gap } : {})}
      times={from?.times ?? NO_TIMES}
      stepMs={from?.stepMs ?? 1}
      windowMs={windowMs}
      series={series}
      format={of.format}
      least={of.least}
    />
  );
}

const NO_TIMES: readonly number[] = [];
/** Empty columns, so that every chart has its place before the first data arrives. */
const EMPTY = Object.fromEntries(
  [
    'requestsPerSecond',
    'errorsPerSecond',
    'p50Ms',
    'p95Ms',
    'p99Ms',
    'inFlight',
    'eventLoopDelayMs',
    'eventLoopUtilization',
    'cpu',
    'rss',
    'heapUsed',
    'gcMsPerSecond',
    'poolInUse',
    'poolWaiting',
    'queryP95Ms',
    'refusedPerSecond',
  ].map((name) => [name, [] as number[]]),
);

/** Small multiples of the process: one time axis, one cursor. */
export function Charts({ charts }: { charts: ChartOf<TrafficHistory>[] }) {
  const history = useLive((live) => live.history);
  return (
    <div className="grid grid-cols-1 gap-3 md:grid-cols-2 md:gap-4 xl:grid-cols-4">
      {charts.map((chart) => (
        <ChartFrom key={chart.title} from={history} of={chart} windowMs={SPANS[history?.window ?? '15m']} />
      ))}
    </div>
  );
}
