const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'long' });
const absolute = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const dayOf = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' });
const dayOfYear = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', year: 'numeric' });

const timeOfDay = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** A time of day in the local time zone: `14:03:22`. */
export const clock = (at: number | string) => timeOfDay.format(new Date(at));

/** A readable duration: `38 ms`, `1.2 s`, `2 min 5 s`. */
export function duration(ms: number) {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Makes a sentence of a message: `database: no answer` becomes `Database: no answer.` */
export const asSentence = (text: string) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}`.replace(/([^.!?])$/, '$1.');

/** How long ago an ISO date was: `just now`, `5 minutes ago`, then the day. */
export function ago(iso: string, now = Date.now()) {
  const date = new Date(iso);
  const minutes = Math.round((now - date.getTime()) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return relative.format(-minutes, 'minute');
  if (minutes < 24 * 60) return relative.format(-Math.round(minutes / 60), 'hour');
  return (date.getFullYear() === new Date(now).getFullYear() ? dayOf : dayOfYear).format(date);
}

/** An ISO date with time, for tooltips. */
export const exactly = (iso: string) => absolute.format(new Date(iso));
