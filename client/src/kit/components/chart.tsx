import {
  type KeyboardEvent,
  lazy,
  memo,
  type PointerEvent,
  Suspense,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react';
import {
  axisEnd,
  bars,
  HEIGHT,
  nearest,
  paths,
  type Scale,
  stacked,
  timeTicks,
  type Values,
  WIDTH,
  widestGap,
} from '@/kit/lib/chart-geometry.ts';
import { loadPart } from '@/kit/lib/deployment.ts';
import { clock } from '@/kit/lib/format.ts';
import { pointAt, useCursor } from '@/kit/lib/time-cursor.ts';
import { IconButton } from './button.tsx';

/** A series' colour and stroke. The stroke distinguishes series without colour. */
const STROKES = {
  first: { colour: 'text-chart-1', dashes: undefined },
  second: { colour: 'text-chart-2', dashes: '5 3' },
  third: { colour: 'text-chart-3', dashes: '1.5 3.5' },
  failing: { colour: 'text-failing', dashes: undefined },
} as const;

export type Series = { name: string; values: Values; stroke: keyof typeof STROKES };

/** A time range, in milliseconds since 1970. */
export type Range = { from: number; to: number };

export type ChartProps = {
  title: string;
  /** What the numbers mean, in a few words. */
  note?: string;
  /** `line` fills the first series only, `area` all of them; `bar` draws bars side by side; `stacked` adds the series up. */
  kind?: 'line' | 'area' | 'bar' | 'stacked';
  times: readonly number[];
  stepMs: number;
  /** How much time the axis shows, in milliseconds. */
  windowMs: number;
  /** Shows this range instead of the last `windowMs`. */
  range?: Range | undefined;
  /** Enables zoom: by dragging, or by Shift with arrow keys and then Enter. Called with undefined on reset (double click, Escape). */
  onZoom?: (range: Range | undefined) => void;
  series: Series[];
  /** A value with its unit. */
  format: (value: number) => string;
  /** The smallest maximum of the axis, so that noise does not fill the chart. */
  least: number;
  /** Horizontal lines, such as the limit of an alert. */
  thresholds?: readonly { value: number; label: string }[];
  /** Vertical lines, such as deployments. */
  marks?: readonly { at: number; label: string }[];
  /** What a gap means. */
  gap?: string;
};

const AsTable = lazy(async () => ({
  default: (await loadPart(() => import('./chart-table.tsx'))).ChartTable,
}));

/** Values over time. All charts of a screen share one cursor, moved by the pointer or by arrow keys. */
export const Chart = memo(function Chart(props: ChartProps) {
  const { title, note, kind = 'line', times, windowMs, range, series, least, thresholds } = props;
  const id = useId();
  const [isTableOpen, setTableOpen] = useState(false);
  const end = times.at(-1) ?? 0;
  const drawn = useMemo(() => {
    const columns = series.map(({ values }) => values);
    return kind === 'stacked' ? stacked(columns) : columns;
  }, [series, kind]);
  const scale = useMemo<Scale>(
    () => ({
      from: range?.from ?? end - windowMs,
      to: range?.to ?? end,
      most: axisEnd([...drawn, (thresholds ?? []).map(({ value }) => value)], least),
    }),
    [end, windowMs, range, drawn, thresholds, least],
  );
  return (
    <figure aria-labelledby={id} className="w-full min-w-0 rounded-lg border bg-surface p-4">
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
      <Plot {...props} kind={kind} drawn={drawn} scale={scale} />
      {isTableOpen && (
        <Suspense>
          <AsTable {...props} onClose={() => setTableOpen(false)} />
        </Suspense>
      )}
    </figure>
  );
});

/** The formatted value, or `none` where there is no value. */
export const textOf = (value: number | null | undefined, format: (value: number) => string, none: string) =>
  value === null || value === undefined ? none : format(value);

/** The index at the cursor, or the last one. */
function useIndex(times: readonly number[]) {
  const cursor = useCursor();
  return {
    index: cursor === undefined ? times.length - 1 : nearest(times, cursor),
    isPointed: cursor !== undefined,
  };
}

/** The current values, or those at the cursor. */
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
            <dd key={text} className="truncate text-lg tabular-nums">
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

/** Cursor steps by key. */
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

type PlotProps = ChartProps & {
  kind: NonNullable<ChartProps['kind']>;
  drawn: readonly Values[];
  scale: Scale;
};

function Plot({ title, times, series, format, gap = 'nothing measured', onZoom, ...rest }: PlotProps) {
  const { kind, drawn, scale, stepMs, thresholds = [], marks = [] } = rest;
  const { index, isPointed } = useIndex(times);
  const { from, to, most } = scale;
  const first = Math.max(
    0,
    times.findIndex((at) => at >= from),
  );
  const last = times.findLastIndex((at) => at <= to);
  const at = times[index];
  /** Where the selection started; the cursor is its other end. */
  const anchor = useRef<number>(undefined);
  const share = (at: number) => `${((at - from) / (to - from)) * 100}%`;

  const zoom = () => {
    if (anchor.current !== undefined && at !== undefined && anchor.current !== at)
      onZoom?.({ from: Math.min(anchor.current, at), to: Math.max(anchor.current, at) });
    anchor.current = undefined;
  };
  const onPointerMove = ({ currentTarget, clientX }: PointerEvent<HTMLElement>) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    const near = nearest(times, from + ((clientX - left) / width) * (to - from));
    pointAt(times[Math.min(last, Math.max(near, first))]);
  };
  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    // Touch scrolls the page.
    if (!onZoom || event.pointerType === 'touch' || event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    anchor.current = at;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = KEYS[event.key];
    if (event.key === 'Enter' && onZoom) zoom();
    else if (event.key === 'Escape' && (isPointed || rest.range)) {
      if (!isPointed) onZoom?.(undefined);
      anchor.current = undefined;
      pointAt(undefined);
    } else if (step === undefined || times.length === 0) return;
    else {
      if (!event.shiftKey) anchor.current = undefined;
      else if (onZoom) anchor.current ??= at;
      pointAt(times[Math.min(last, Math.max(first, index + step))]);
    }
    event.preventDefault();
  };

  const said =
    at === undefined
      ? 'Nothing measured yet'
      : `${clock(at)}: ${series.map(({ name, values }) => `${name} ${textOf(values[index], format, gap)}`).join(', ')}`;
  const ticks = timeTicks(scale);
  // Where half a label would be cut.
  const edge = (to - from) / 12;
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
        onPointerDown={onPointerDown}
        onPointerUp={zoom}
        onPointerLeave={() => pointAt(undefined)}
        onDoubleClick={() => onZoom?.(undefined)}
        onKeyDown={onKeyDown}
        onBlur={() => {
          anchor.current = undefined;
          pointAt(undefined);
        }}
        className="relative mt-0.5 h-24 touch-pan-y rounded-md select-none"
      >
        <Drawing
          kind={kind}
          drawn={drawn}
          times={times}
          stepMs={stepMs}
          series={series}
          scale={scale}
          gap={gap}
          ticks={ticks}
        />
        <span
          aria-hidden="true"
          className="pointer-events-none absolute top-1/2 left-0 rounded-sm bg-surface/80 pr-1 text-xs text-muted tabular-nums"
        >
          {format(most / 2)}
        </span>
        {thresholds.map(({ value, label }) => (
          <span
            // A new element where it moves: otherwise it would count as a layout shift. Likewise below.
            key={`${label} ${value / most}`}
            className="pointer-events-none absolute inset-x-0 border-t border-dashed border-failing text-right text-xs text-failing"
            style={{ bottom: `${Math.min(1, value / most) * 100}%` }}
          >
            <span className="absolute right-0 bottom-0 rounded-sm bg-surface px-1">{label}</span>
          </span>
        ))}
        {marks
          .filter((mark) => mark.at >= from && mark.at <= to)
          .map((mark) => (
            <span
              key={`${mark.label} ${share(mark.at)}`}
              title={`${mark.label}, ${clock(mark.at)}`}
              className="pointer-events-none absolute inset-y-0 w-px bg-draining"
              style={{ left: share(mark.at) }}
            >
              <span
                className={`absolute bottom-0 bg-draining px-1 text-xs whitespace-nowrap text-surface ${mark.at > (from + to) / 2 ? 'right-0 rounded-l-sm' : 'left-0 rounded-r-sm'}`}
              >
                {mark.label}
              </span>
            </span>
          ))}
        {isPointed && at !== undefined && at >= from && at <= to && (
          <>
            {anchor.current !== undefined && (
              <div
                className="pointer-events-none absolute inset-y-0 bg-selected"
                style={{
                  left: share(Math.min(anchor.current, at)),
                  width: `${(Math.abs(at - anchor.current) / (to - from)) * 100}%`,
                }}
              />
            )}
            <div
              className="pointer-events-none absolute inset-y-0 w-px bg-text"
              style={{ left: share(at) }}
            />
          </>
        )}
      </div>
      <div aria-hidden="true" className="relative mt-1 h-4 overflow-hidden text-xs text-muted tabular-nums">
        {to > 0 &&
          ticks.map((tick) => (
            <span
              key={share(tick)}
              className={`absolute ${tick > to - edge ? '-translate-x-full' : tick < from + edge ? '' : '-translate-x-1/2'}`}
              style={{ left: share(tick) }}
            >
              {clock(tick).slice(0, ticks.every((one) => one % 60_000 === 0) ? 5 : 8)}
            </span>
          ))}
      </div>
    </>
  );
}

/** The lines. Rendered again when the data changes, not when the cursor moves. */
const Drawing = memo(function Drawing({
  kind,
  drawn,
  times,
  stepMs,
  series,
  scale,
  gap,
  ticks,
}: Pick<PlotProps, 'kind' | 'drawn' | 'times' | 'stepMs' | 'series' | 'scale'> & {
  gap: string;
  ticks: number[];
}) {
  const hole = series[0] && widestGap(times, series[0].values, scale);
  const { from, to } = scale;
  const lines = series.map(({ name, stroke }, order) => {
    const { colour, dashes } = STROKES[stroke];
    const values = drawn[order] ?? [];
    if (kind === 'bar')
      return (
        <path
          key={name}
          className={colour}
          fill="currentColor"
          d={bars(times, values, stepMs, scale, [order, series.length])}
        />
      );
    const { line, area } = paths(times, values, stepMs, scale);
    return (
      <g key={name} className={colour} fill="none">
        {/* Covers the layer behind it. */}
        {kind === 'stacked' && <path d={area} className="fill-surface" />}
        {(kind !== 'line' || order === 0) && (
          <path d={area} fill="currentColor" fillOpacity={kind === 'stacked' ? 0.35 : 0.12} />
        )}
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
  });
  return (
    <>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        className="absolute inset-0 size-full"
      >
        <path
          d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}`}
          className="stroke-border"
          vectorEffect="non-scaling-stroke"
          strokeDasharray="2 4"
        />
        <path
          d={`M0 ${HEIGHT}H${WIDTH}${ticks.map((at) => `M${((at - from) / (to - from)) * WIDTH} ${HEIGHT}v-${HEIGHT / 25}`).join('')}`}
          className="stroke-field"
          vectorEffect="non-scaling-stroke"
        />
        {kind === 'stacked' ? lines.reverse() : lines}
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
