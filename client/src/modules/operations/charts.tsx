import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import type { TrafficHistory } from '#contracts/operations/traffic.ts';
import { Button } from '@/kit/components/button.tsx';
import { Chart, type Range, type Series } from '@/kit/components/chart.tsx';
import { Spark } from '@/kit/components/spark.tsx';
import { clock, count, milliseconds, number, percent, perSecond } from '@/kit/lib/format.ts';
import { keeping } from './components.tsx';
import { SPANS, useLive } from './live.ts';
import { healthQuery } from './operations-queries.ts';
import { WINDOW_WORDS } from './texts.ts';

/** The threshold of an alert by its name, and the latest figures. */
type Limits = { of: (alert: string) => number | undefined; now: ProcessStatus | undefined };

/** A chart of some columns of a history. */
export type ChartOf<From> = {
  title: string;
  note?: string;
  series: (history: From) => Series[];
  format: (value: number) => string;
  least: number;
  gap?: string;
  limit?: (limits: Limits) => number | undefined;
  /** What the limit is; by default, where an alert fires. */
  limitName?: string;
};

const MEBIBYTE = 1_048_576;
const mebibytes = (values: TrafficHistory['rss']) => values.map((value) => value && value / MEBIBYTE);
/** With the unit of the axis, whatever the size. */
const inMebibytes = (value: number) => `${number(value)}\u00a0MiB`;
const inCores = (value: number) => count(value, 'core');
/** `undefined` where either is unknown. */
const times = (a: number | null | undefined, b: number | null | undefined) =>
  a == null || b == null ? undefined : a * b;

type Rates = Pick<TrafficHistory, 'requestsPerSecond' | 'errorsPerSecond' | 'p50Ms' | 'p95Ms' | 'p99Ms'>;

/** Charts of the process, and of each route. */
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
      { name: 'status 500 and above', values: history.errorsPerSecond, stroke: 'failing' },
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
    limit: ({ of }) => of('slow-responses'),
    limitName: 'p95 alert',
  },
} satisfies Record<string, ChartOf<Rates>>;

/** Charts of the process. */
export const CHARTS = {
  ...RATES,
  inFlight: {
    title: 'In flight',
    series: (history) => [{ name: 'requests', values: history.inFlight, stroke: 'first' }],
    format: number,
    least: 5,
  },
  refused: {
    title: 'Refused',
    note: 'by rate limit or overload',
    series: (history) => [{ name: 'requests', values: history.refusedPerSecond, stroke: 'failing' }],
    format: perSecond,
    least: 0.1,
    gap: 'no traffic',
  },
  eventLoopDelay: {
    title: 'Event loop delay',
    series: (history) => [{ name: 'p99', values: history.eventLoopDelayMs, stroke: 'first' }],
    format: milliseconds,
    least: 20,
    limit: ({ of }) => of('event-loop-delay'),
  },
  eventLoopUse: {
    title: 'Event loop utilization',
    series: (history) => [{ name: 'busy', values: history.eventLoopUtilization, stroke: 'first' }],
    format: percent,
    least: 1,
  },
  cpu: {
    title: 'CPU',
    series: (history) => [{ name: 'in use', values: history.cpu, stroke: 'first' }],
    format: inCores,
    least: 1,
    limit: ({ of, now }) => times(times(of('high-cpu'), 0.01), now && Math.min(1, now.cores)),
  },
  memory: {
    title: 'Memory',
    series: (history) => [
      { name: 'resident', values: mebibytes(history.rss), stroke: 'first' },
      { name: 'heap', values: mebibytes(history.heapUsed), stroke: 'second' },
    ],
    format: inMebibytes,
    least: 100,
    limit: ({ of, now }) => times(times(of('high-memory'), 0.01 / MEBIBYTE), now?.memory.limit),
  },
  collection: {
    title: 'Garbage collection',
    series: (history) => [{ name: 'per second', values: history.gcMsPerSecond, stroke: 'first' }],
    format: milliseconds,
    least: 10,
  },
  pool: {
    title: 'Connections',
    series: (history) => [
      { name: 'in use', values: history.poolInUse, stroke: 'first' },
      { name: 'requests waiting', values: history.poolWaiting, stroke: 'third' },
    ],
    format: number,
    least: 5,
    limit: ({ now }) => now?.pool.size,
    limitName: 'pool size',
  },
  queries: {
    title: 'Query duration',
    series: (history) => [{ name: 'p95', values: history.queryP95Ms, stroke: 'first' }],
    format: milliseconds,
    least: 5,
    gap: 'no queries',
  },
} satisfies Record<string, ChartOf<TrafficHistory>>;

/** The zoom that all charts of a screen share. */
export function useZoom(window: TrafficHistory['window']) {
  const [zoomed, setZoomed] = useState<{ window: string; range: Range | undefined }>();
  const range = zoomed?.window === window ? zoomed.range : undefined;
  const onZoom = useMemo(() => (range: Range | undefined) => setZoomed({ window, range }), [window]);
  return { window, range, onZoom };
}

export type Zoom = ReturnType<typeof useZoom>;

/** Says which time the charts show, and ends the zoom. */
export function ZoomBar({ zoom: { window, range, onZoom } }: { zoom: Zoom }) {
  const { mode, heardAt, before } = useLive((live) => live);
  return (
    <div className="mt-3 mb-2 flex min-h-9 items-center justify-between gap-4 text-sm text-muted max-md:min-h-11">
      <p>
        {range ? (
          `From ${clock(range.from)} to ${clock(range.to)}`
        ) : mode === 'still' && heardAt !== undefined ? (
          `Figures as of ${clock(heardAt)}.`
        ) : before !== undefined ? (
          'A new process answers. Its figures start again.'
        ) : (
          <>
            The {WINDOW_WORDS[window]}.
            <span className="pointer-coarse:hidden"> Drag across a chart to zoom.</span>
          </>
        )}
      </p>
      {range && (
        <Button variant="outline" size="sm" onClick={() => onZoom(undefined)}>
          Reset zoom
        </Button>
      )}
    </div>
  );
}

type Timed = { times: readonly number[]; stepMs: number };

const NONE: readonly never[] = [];

/** A chart of a history, drawn again when the history changes. Before the first one it is empty. */
export function ChartFrom<From extends Timed>({
  from,
  of,
  zoom,
  limit,
  marks = NONE,
}: {
  from: From | undefined;
  of: ChartOf<From>;
  zoom: Zoom;
  limit?: number | undefined;
  marks?: readonly { at: number; label: string }[];
}) {
  const { title, note, gap, format, least, limitName = 'alert' } = of;
  const series = useMemo(() => (from ? of.series(from) : []), [from, of]);
  const thresholds = useMemo(() => {
    if (limit === undefined) return NONE;
    // A limit far above the values would flatten them.
    const isNear =
      limit <= least || series.some(({ values }) => values.some((value) => (value ?? 0) * 4 > limit));
    return isNear ? [{ value: limit, label: `${limitName}: ${format(limit)}` }] : NONE;
  }, [series, limit, least, limitName, format]);
  return (
    <Chart
      title={title}
      {...(note && { note })}
      {...(gap && { gap })}
      times={from?.times ?? NONE}
      stepMs={from?.stepMs ?? 1}
      windowMs={SPANS[zoom.window]}
      range={zoom.range}
      onZoom={zoom.onZoom}
      series={series}
      format={format}
      least={least}
      thresholds={thresholds}
      marks={marks}
    />
  );
}

/** Charts of the process, on one time axis with one cursor. A mark shows when it started, and its version. */
export function Charts({
  charts,
  zoom,
  className,
}: {
  charts: ChartOf<TrafficHistory>[];
  zoom: Zoom;
  className: string;
}) {
  const { history, alerts, now, instance } = useLive((live) => live);
  const { data: health } = useQuery(healthQuery);
  // The start is computed once: measured again, it would differ by a few milliseconds.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  const marks = useMemo(
    () =>
      health
        ? [{ at: Date.parse(health.timestamp) - health.uptime * 1_000, label: `v${health.version}` }]
        : NONE,
    [health === undefined, instance],
  );
  const of = (name: string) => alerts.find((alert) => alert.name === name)?.threshold;
  return (
    <div className={`grid grid-cols-1 gap-3 md:gap-4 ${className}`}>
      {charts.map((chart) => (
        <ChartFrom
          key={chart.title}
          from={history?.window === zoom.window ? history : undefined}
          of={chart}
          zoom={zoom}
          limit={chart.limit?.({ of, now })}
          marks={marks}
        />
      ))}
    </div>
  );
}

/** A sparkline is about 150 px wide. */
const MAX_SPARK_POINTS = 120;

/** The latest figures of the process, each with a sparkline. They lead to the charts. */
export function Tiles({ charts }: { charts: ChartOf<TrafficHistory>[] }) {
  const history = useLive((live) => live.history);
  const every = Math.ceil((history?.times.length ?? 0) / MAX_SPARK_POINTS);
  return (
    <ul className="mt-3 grid grid-cols-2 gap-3 md:mt-4 md:grid-cols-3 md:gap-4 xl:grid-cols-6">
      {charts.map(({ title, series, format }) => {
        const { name = '', values = NONE } = (history && series(history)[0]) ?? {};
        const value = values.at(-1);
        const few = values.filter((_, index) => (values.length - 1 - index) % every === 0);
        const text = value == null ? '–' : format(value);
        return (
          <li key={title}>
            <Link
              to="/ops/resources"
              search={keeping()}
              className="block rounded-lg border bg-surface px-4 py-3 transition-colors hover:bg-hover"
            >
              <span className="block truncate text-sm text-muted">{title}</span>
              <span key={text} className="block text-base tabular-nums">
                {text}
              </span>
              <Spark label={`${title}, ${name}`} values={few} className="mt-1 block h-6 w-full" />
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
