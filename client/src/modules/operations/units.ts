const dateAndTime = new Intl.DateTimeFormat('en', {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
/** A moment with its day, for what may be older than this one: `Nov 21, 14:03:22`. */
export const moment = (at: number | string) => dateAndTime.format(new Date(at));

/** No line break between a number and its unit. */
const NBSP = '\u00a0';

/** By number of decimals. Created once: creating one costs more than formatting a hundred numbers. */
const NUMBERS = [0, 1, 2].map((digits) => new Intl.NumberFormat('en', { maximumFractionDigits: digits }));

/** Three significant digits: `0.42`, `4.2`, `42`, `4,200`. */
export function number(value: number) {
  const size = Math.abs(value);
  const digits = size === 0 || size >= 99.5 ? 0 : size >= 9.95 ? 1 : 2;
  return (NUMBERS[digits] as Intl.NumberFormat).format(value);
}

/** A rate: `42.1/s`. */
export const perSecond = (value: number) => `${number(value)}/s`;

/** A ratio in percent. Small values are not rounded to 0. */
export const percent = (share: number) =>
  share > 0 && share < 0.0001 ? `<${NBSP}0.01%` : `${number(share * 100)}%`;

/** Milliseconds: `0.42 ms`, `12.3 ms`, `1.24 s`. */
export const milliseconds = (ms: number) =>
  ms < 999.5 ? `${number(ms)}${NBSP}ms` : `${number(ms / 1_000)}${NBSP}s`;

/** Bytes in powers of 1,024: `182 MiB`. */
export function bytes(value: number) {
  const mebi = value / 1_048_576;
  return mebi < 1_023.5
    ? `${number(Math.round(mebi * 10) / 10)}${NBSP}MiB`
    : `${number(mebi / 1_024)}${NBSP}GiB`;
}

/** Cores in use: `0.42 cores`. */
export const cores = (value: number) => `${number(value)}${NBSP}${value === 1 ? 'core' : 'cores'}`;

/** A duration in its two largest units: `3 d 4 h`, `12 min 5 s`. */
export function span(ms: number) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return `0${NBSP}s`;
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${NBSP}${unit}`)
    .join(' ');
}

/** A figure of a health check, whose name ends with its unit: `memory total 7.8 GiB`. */
export function figure([name, value]: [string, number]) {
  const [, what = name, unit] = /^(.+?)(Bytes|Seconds)?$/.exec(name) ?? [];
  const words = what.replace(/(?<=[a-z])(?=[A-Z\d])/g, ' ').toLowerCase();
  const said = unit === 'Bytes' ? bytes(value) : unit === 'Seconds' ? span(value * 1_000) : number(value);
  return `${words} ${said}`;
}
