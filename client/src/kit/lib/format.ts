/*
 * Numbers, dates and times in the conventions of the visitor's locale. Words stand in English sentences, so lists and relative
 * times are English, in the visitor's variant of it. Units are symbols of the SI and IEC, which every language shares: Intl
 * has no MiB, and its short second is "sec".
 */

let locales: readonly string[] = typeof document === 'undefined' ? ['en'] : navigator.languages;
let made = new Map<string, unknown>();

/** Sets the locales instead of `navigator.languages`, in tests. */
export function setLocales(...next: string[]) {
  locales = next;
  made = new Map();
}

/** Makes each formatter once: that costs more than a hundred numbers. */
function once<Format>(key: string, make: (locales: string[]) => Format): Format {
  if (!made.has(key)) made.set(key, make([...locales]));
  return made.get(key) as Format;
}

/** The visitor's English, for words within sentences. */
const english = (all: string[]) => [...all.filter((one) => one.startsWith('en')), 'en'];

const dates = (options: Intl.DateTimeFormatOptions) =>
  once(JSON.stringify(options), (all) => new Intl.DateTimeFormat(all, options));

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;

/** A time of day in the local time zone: `14:03:22`. */
export const clock = (at: number | string) => dates({ ...TIME, hourCycle: 'h23' }).format(new Date(at));

/** A date with the time of day: `Nov 21, 14:03:22`. */
export const moment = (at: number | string) =>
  dates({ month: 'short', day: 'numeric', ...TIME, hourCycle: 'h23' }).format(new Date(at));

/** A date with time, for tooltips. */
export const exactly = (iso: string) =>
  dates({ dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));

/** How long ago an ISO date was: `just now`, `5 minutes ago`, then the day. */
export function ago(iso: string, now = Date.now()) {
  const relative = once('relative', (all) => new Intl.RelativeTimeFormat(english(all), { numeric: 'auto' }));
  const date = new Date(iso);
  const minutes = Math.round((now - date.getTime()) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return relative.format(-minutes, 'minute');
  if (minutes < 24 * 60) return relative.format(-Math.round(minutes / 60), 'hour');
  const isThisYear = date.getFullYear() === new Date(now).getFullYear();
  return dates({ month: 'short', day: 'numeric', ...(isThisYear ? {} : { year: 'numeric' }) }).format(date);
}

/** `a, b and c`. */
export const list = (items: string[]) =>
  once('list', (all) => new Intl.ListFormat(english(all), { type: 'conjunction' })).format(items);

/** No line break between a number and its unit. */
const NBSP = '\u00a0';
const withUnit = (value: string, unit: string) => `${value}${NBSP}${unit}`;

/** The digits after the point that leave three significant ones. */
const digitsOf = (size: number) => (size === 0 || size >= 99.5 ? 0 : size >= 9.95 ? 1 : 2);

/** A number with three significant digits: `0.42`, `4.2`, `42`, `4,200`. */
export function number(value: number) {
  const maximumFractionDigits = digitsOf(Math.abs(value));
  return once(
    `number ${maximumFractionDigits}`,
    (all) => new Intl.NumberFormat(all, { maximumFractionDigits }),
  ).format(value);
}

/** A fraction of 1 as a percentage: `0.02%`. Only 0 is shown as 0. */
export function percent(fraction: number) {
  const maximumFractionDigits = digitsOf(Math.abs(fraction * 100));
  const format = once(
    `percent ${maximumFractionDigits}`,
    (all) => new Intl.NumberFormat(all, { style: 'percent', maximumFractionDigits }),
  );
  return fraction > 0 && fraction < 0.0001 ? `<${format.format(0.0001)}` : format.format(fraction);
}

/** A count and its noun: `1 check`, `2 checks`. @param plural Where it is not `noun` and an s. */
export const count = (value: number, noun: string, plural = `${noun}s`) =>
  `${number(value)} ${value === 1 ? noun : plural}`;

/** A rate: `42.1/s`. */
export const perSecond = (value: number) => `${number(value)}/s`;

/** A measured time in milliseconds: `0.42 ms`, `12.3 ms`, `1.24 s`. */
export const milliseconds = (ms: number) =>
  ms < 999.5 ? withUnit(number(ms), 'ms') : withUnit(number(ms / 1_000), 's');

const MEBI = 1_048_576;

/** Bytes: `182 MiB`, `1.5 GiB`. */
export const bytes = (value: number) =>
  value < 1_023.5 * MEBI
    ? withUnit(number(Math.round((value / MEBI) * 10) / 10), 'MiB')
    : withUnit(number(value / (1_024 * MEBI)), 'GiB');

/** A long time in milliseconds, in its two largest units: `3 d 4 h`, `12 min 5 s`. */
export function span(ms: number) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first === -1 ? undefined : first + 2)
    .filter(([amount]) => amount > 0 || first === -1)
    .map(([amount, unit]) => withUnit(number(amount), unit))
    .join(' ');
}

/** A readable duration: `38 ms`, `1.2 s`, `2 min 5 s`. */
export function duration(ms: number) {
  if (ms < 999.5) return withUnit(number(Math.round(ms)), 'ms');
  if (ms >= 59_950) return span(ms);
  const format = once(
    'tenths',
    (all) => new Intl.NumberFormat(all, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  );
  return withUnit(format.format(ms / 1_000), 's');
}

/** Makes a sentence of a message: `database: no answer` becomes `Database: no answer.` */
export const asSentence = (text: string) => capital(text).replace(/([^.!?])$/, '$1.');

/** With a capital letter at its beginning. */
export const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
