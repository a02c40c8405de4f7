/**
 * The SVG's viewBox; the browser stretches it to the chart's box. It is large enough for whole numbers, which are shorter and
 * faster to parse.
 */
export const WIDTH = 10_000;
export const HEIGHT = 1_000;

/** The range of the axes: milliseconds since 1970, and the value at the top. The bottom is 0. */
export type Scale = { from: number; to: number; most: number };

/** The values of a series; null where nothing was measured. */
export type Values = readonly (number | null)[];

/**
 * The value at the top of an axis: the next of 1, 2, 2.5 and 5 times a power of ten.
 *
 * @param least No axis ends lower, so that noise does not fill a chart.
 */
export function axisEnd(columns: readonly Values[], least: number): number {
  let most = least;
  for (const values of columns) for (const value of values) if (value !== null && value > most) most = value;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 2.5, 5, 10].find((step) => step * power >= most * 0.999) ?? 10;
  return step * power;
}

/** The maximum of points drawn: a chart is about 300 px wide. Beyond it, the minimum and maximum of each group are drawn. */
const MAX_POINTS = 240;

/** The indexes to draw: all of them, or the extremes of each group, so that no peak is lost. */
function drawn(values: Values): number[] {
  const few = Math.max(1, Math.ceil((2 * values.length) / MAX_POINTS));
  const chosen: number[] = [];
  for (let start = 0; start < values.length; start += few) {
    let low = start;
    let high = start;
    let gap = -1;
    for (let index = start; index < Math.min(values.length, start + few); index += 1) {
      const value = values[index] ?? null;
      if (value === null) gap = index;
      else {
        if (value < (values[low] ?? Number.POSITIVE_INFINITY)) low = index;
        if (value > (values[high] ?? Number.NEGATIVE_INFINITY)) high = index;
      }
    }
    const marks = [low, high, gap].sort((a, b) => a - b);
    for (const index of marks) if (index !== -1 && index !== chosen.at(-1)) chosen.push(index);
  }
  return chosen;
}

/**
 * The line and its area as SVG paths. Missing values interrupt the line.
 *
 * @param stepMs The regular distance of `times`; a longer one is a gap.
 */
export function paths(times: readonly number[], values: Values, stepMs: number, scale: Scale) {
  const { from, to, most } = scale;
  let line = '';
  let area = '';
  /** The points of the current segment after its first, as `L1 2L3 4`. */
  let stretch = '';
  let start: string | undefined;
  let before = -1;
  const end = () => {
    if (start === undefined) return;
    // A single point: a line of zero length, which a round cap makes a dot.
    line += `M${start}${stretch || 'h0'}`;
    area += `M${start}${stretch}V${HEIGHT}H${Number.parseFloat(start)}Z`;
    start = undefined;
    stretch = '';
  };
  for (const index of drawn(values)) {
    const at = times[index] as number;
    const value = values[index] ?? null;
    // Points that were skipped by `drawn` are no gap; only a longer time between two is.
    if (value === null || (before !== -1 && at - (times[before] as number) > (index - before + 0.5) * stepMs))
      end();
    before = index;
    if (value === null || at < from) continue;
    const point = `${Math.round(((at - from) / (to - from)) * WIDTH)} ${Math.round(HEIGHT - Math.min(1, value / most) * HEIGHT)}`;
    if (start === undefined) start = point;
    else stretch += `L${point}`;
  }
  end();
  return { line, area };
}

/**
 * The longest gap, as fractions of the width, and whether it lies before the first value; undefined if it is shorter
 * than a fifth of the width.
 */
export function widestGap(times: readonly number[], values: Values, scale: Scale) {
  const { from, to } = scale;
  let left = from;
  let widest = { from: 0, to: 0 };
  const close = (at: number) => {
    if (at - left > widest.to - widest.from) widest = { from: left, to: at };
  };
  times.forEach((at, index) => {
    if ((values[index] ?? null) === null || at < from) return;
    close(at);
    left = at;
  });
  close(to);
  const share = (at: number) => (at - from) / (to - from);
  if (widest.to - widest.from <= 0.2 * (to - from)) return undefined;
  const isBefore = widest.from === from && (times[0] ?? from) > (widest.from + widest.to) / 2;
  return { from: share(widest.from), to: share(widest.to), isBefore };
}

/** Steps of a time axis, in milliseconds. */
const TIME_STEPS = [
  1_000, 5_000, 15_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000,
  43_200_000, 86_400_000,
];

/**
 * Ticks at round times of the local time zone.
 *
 * @param most The maximum number of ticks.
 */
export function timeTicks({ from, to }: Pick<Scale, 'from' | 'to'>, most = 4): number[] {
  const step = TIME_STEPS.find((step) => (to - from) / step <= most) ?? (to - from) / most;
  const shift = new Date(to).getTimezoneOffset() * 60_000;
  const ticks: number[] = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at < to; at += step) ticks.push(at);
  return ticks;
}

/** Cumulative sums of the series. Draw their areas from the last to the first for a stacked chart. */
export function stacked(columns: readonly Values[]): Values[] {
  const sums: Values[] = [];
  for (const values of columns) {
    const below = sums.at(-1);
    sums.push(values.map((value, index) => (value === null ? null : value + (below?.[index] ?? 0))));
  }
  return sums;
}

/** The bars of one series as an SVG path. @param slot The series' index and the number of series side by side. */
export function bars(
  times: readonly number[],
  values: Values,
  stepMs: number,
  scale: Scale,
  slot: [number, number],
) {
  const { from, to, most } = scale;
  const [place, places] = slot;
  const room = (stepMs / (to - from)) * WIDTH;
  const width = (room * 0.8) / places;
  let path = '';
  times.forEach((at, index) => {
    const value = values[index] ?? null;
    // A bar covers the step that ends at its time.
    const left = ((at - from) / (to - from)) * WIDTH - room * 0.9 + place * width;
    if (value === null || value <= 0 || left < 0) return;
    path += `M${Math.round(left)} ${HEIGHT}V${Math.round(HEIGHT - Math.min(1, value / most) * HEIGHT)}h${Math.round(width)}V${HEIGHT}Z`;
  });
  return path;
}

/** Which element of `times` (ascending) is nearest to a time; -1 where there is none. */
export function nearest(times: readonly number[], at: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  const before = times[low - 1];
  return before !== undefined && at - before < (times[low] as number) - at ? low - 1 : high;
}
