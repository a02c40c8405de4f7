import { type KeyboardEvent, memo, type PointerEvent, useId, useMemo, useState } from 'react';
import { IconButton } from '@/kit/components/button.tsx';
import { Dialog } from '@/kit/components/dialog.tsx';
import { Table } from '@/kit/components/table.tsx';
import {
  axisEnd,
  HEIGHT,
  nearest,
  paths,
  type Scale,
  type Values,
  WIDTH,
  widestGap,
} from './chart-geometry.ts';
import { pointAt, useCursor } from './time-cursor.ts';
import { clock } from './units.ts';

/** How a series is drawn: a colour of the theme, and a stroke, so that colour is not needed to tell them apart. */
const STROKES = {
  first: { colour: 'text-chart-1', dashes: undefined },
  second: { colour: 'text-chart-2', dashes: '5 3' },
  third: { colour: 'text-chart-3', dashes: '1.5 3.5' },
  failing: { colour: 'text-failing', dashes: undefined },
} as const;

export type Series = { name: string; values: Values; stroke: keyof typeof STROKES };

export type ChartProps = {
  title: string;
  /** What the numbers mean, in a few words. */
  note?: string;
  times: readonly number[];
  stepMs: number;
  /** How much time the axis shows, in milliseconds. */
  windowMs: number;
  series: Series[];
  /** A value with its unit. */
  format: (value: number) => string;
  /** The axis ends no lower. */
  least: number;
  /** What a gap means. */
  gap?: string;
};

/** Lines over time. All charts of a screen show the same time, and one cursor: by pointing, or by arrow keys. */
export const Chart = memo(function Chart(props: ChartProps) {
  const { title, note, times, windowMs, series, least, gap = 'nothing measured' } = props;
  const id = useId();
  const [isTableOpen, setTableOpen] = useState(false);
  const end = times.at(-1) ?? 0;
  const scale = useMemo<Scale>(
    () => ({
      from: end - windowMs,
      to: end,
      most: axisEnd(
        series.map(({ values }) => values),
        least,
      ),
    }),
    [end, windowMs, series, least],
  );
  return (
    <figure aria-labelledby={id} className="min-w-0 rounded-lg border bg-surface p-4">
      <figcaption className="flex h-6 items-center justify-between gap-2">
        <span className="min-w-0 truncate text-sm" title={note && `${title}: ${note}`}>
          <span id={id} className="font-medium">
            {title}
          </span>
          {note && <span className="ml-1.5 text-muted">{note}</span>}
        </span>
        <IconButton
          icon="table"
          label={`${title} as a table`}
          className="-m-2"
          onClick={() => setTableOpen(true)}
        />
      </figcaption>
      <Readout {...props} />
      <Plot {...props} gap={gap} scale={scale} />
      <Dialog title={title} open={isTableOpen} onClose={() => setTableOpen(false)}>
        <AsTable {...props} />
      </Dialog>
    </figure>
  );
});

/** What the picture shows, for those who would rather read it. */
const AsTable = ({ title, times, series, format }: ChartProps) => (
  <div className="max-h-[60dvh] overflow-y-auto">
    <Table
      caption={`${title}, latest first`}
      columns={[
        { header: 'Time', cell: (index: number) => clock(times[index] as number) },
        ...series.map(({ name, values }) => ({
          header: name,
          numeric: true,
          cell: (index: number) => textOf(values[index], format, '–'),
        })),
      ]}
      rows={times.map((_, index) => times.length - 1 - index)}
      rowKey={(index) => index}
    />
  </div>
);

const textOf = (value: number | null | undefined, format: (value: number) => string, none: string) =>
  value === null || value === undefined ? none : format(value);

/** Where in the columns the cursor is, or the end. */
function useIndex(times: readonly number[]) {
  const cursor = useCursor();
  return {
    index: cursor === undefined ? times.length - 1 : nearest(times, cursor),
    isPointed: cursor !== undefined,
  };
}

/** The numbers, before the picture: of now, or of the moment that is pointed at. */
function Readout({ times, series, format }: ChartProps) {
  const { index } = useIndex(times);
  return (
    <dl
      className="mt-1 grid h-12 gap-x-3 overflow-hidden whitespace-nowrap"
      style={{ gridTemplateColumns: `repeat(${series.length}, minmax(0, 1fr))` }}
    >
      {series.map(({ name, values, stroke }) => {
        const text = textOf(values[index], format, '–');
        return (
          <div key={name} className="min-w-0">
            <dt className="flex items-center gap-1.5 text-xs text-muted">
              {series.length > 1 && <Swatch stroke={stroke} />}
              <span className="truncate">{name}</span>
            </dt>
            <dd key={text} className="text-lg tabular-nums">
              {text}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function Swatch({ stroke }: { stroke: Series['stroke'] }) {
  const { colour, dashes } = STROKES[stroke];
  return (
    <svg width="14" height="4" viewBox="0 0 14 4" aria-hidden="true" className={`shrink-0 ${colour}`}>
      <path
        d="M1 2h12"
        stroke="currentColor"
        strokeWidth="2"
        strokeDasharray={dashes}
        strokeLinecap="round"
      />
    </svg>
  );
}

/** Steps of the cursor by key. */
const KEYS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

function Plot({ title, times, stepMs, series, format, gap = '', scale }: ChartProps & { scale: Scale }) {
  const { index, isPointed } = useIndex(times);
  const { from, to, most } = scale;
  const first = times.findIndex((at) => at >= from);

  const onPointerMove = ({ currentTarget, clientX }: PointerEvent<HTMLElement>) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    const near = nearest(times, from + ((clientX - left) / width) * (to - from));
    pointAt(times[Math.max(near, first)]);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = KEYS[event.key];
    if (event.key === 'Escape' && isPointed) pointAt(undefined);
    else if (step === undefined || times.length === 0) return;
    else pointAt(times[Math.min(times.length - 1, Math.max(first, index + step))]);
    event.preventDefault();
  };

  const at = times[index];
  const said =
    at === undefined
      ? 'Nothing measured yet'
      : `${clock(at)}: ${series.map(({ name, values }) => `${name} ${textOf(values[index], format, gap)}`).join(', ')}`;
  return (
    <>
      <p aria-hidden="true" className="mt-1 text-xs text-muted tabular-nums">
        {format(most)}
      </p>
      <div
        role="slider"
        tabIndex={0}
        aria-label={`${title}, moment shown`}
        aria-valuemin={from}
        aria-valuemax={to}
        aria-valuenow={at ?? to}
        aria-valuetext={said}
        onPointerMove={onPointerMove}
        onPointerLeave={() => pointAt(undefined)}
        onKeyDown={onKeyDown}
        onBlur={() => pointAt(undefined)}
        className="relative mt-0.5 h-24 touch-pan-y rounded-md"
      >
        <Lines times={times} stepMs={stepMs} series={series} scale={scale} gap={gap} />
        {isPointed && at !== undefined && at >= from && (
          <div
            className="pointer-events-none absolute inset-y-0 w-px bg-text"
            style={{ left: `${((at - from) / (to - from)) * 100}%` }}
          />
        )}
      </div>
      <div aria-hidden="true" className="mt-1 flex h-4 justify-between text-xs text-muted tabular-nums">
        <span>{end(from)}</span>
        <span key={isPointed ? at : 0}>{isPointed && at !== undefined ? clock(at) : end(to)}</span>
      </div>
    </>
  );
}

const end = (at: number) => (at > 0 ? clock(at) : '');

/** The picture itself: drawn anew when there is more to show, not when the cursor moves. */
const Lines = memo(function Lines({
  times,
  stepMs,
  series,
  scale,
  gap,
}: Pick<ChartProps, 'times' | 'stepMs' | 'series'> & { scale: Scale; gap: string }) {
  const hole = series[0] && widestGap(times, series[0].values, scale);
  return (
    <>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        className="absolute inset-0 size-full overflow-visible"
      >
        <path
          d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}`}
          className="stroke-border"
          vectorEffect="non-scaling-stroke"
          strokeDasharray="2 4"
        />
        <path d={`M0 ${HEIGHT}H${WIDTH}`} className="stroke-border" vectorEffect="non-scaling-stroke" />
        {series.map(({ name, values, stroke }, order) => {
          const { colour, dashes } = STROKES[stroke];
          const { line, area } = paths(times, values, stepMs, scale);
          return (
            <g key={name} className={colour} fill="none">
              {order === 0 && <path d={area} fill="currentColor" fillOpacity="0.1" />}
              <path
                d={line}
                stroke="currentColor"
                strokeWidth="1.5"
                strokeDasharray={dashes}
                strokeLinecap="round"
                strokeLinejoin="round"
                vectorEffect="non-scaling-stroke"
              />
            </g>
          );
        })}
      </svg>
      {hole && (
        <span
          aria-hidden="true"
          className="pointer-events-none absolute inset-y-0 flex items-center justify-center text-xs text-muted"
          style={{ left: `${hole.from * 100}%`, right: `${(1 - hole.to) * 100}%` }}
        >
          {hole.isBefore ? 'not started yet' : gap}
        </span>
      )}
    </>
  );
});
