import type { Alert } from '#contracts/operations/alerts.ts';
import type { TrafficWindow } from '#contracts/operations/traffic.ts';
import { bytes, count, milliseconds, number, percent, span } from '@/kit/lib/format.ts';

/* The words of the operations screens. */

export const TABS = [
  { to: '/ops', label: 'Overview', title: 'Operations', hasWindow: true, isLive: true },
  { to: '/ops/routes', label: 'Routes', hasWindow: true, isLive: true },
  { to: '/ops/resources', label: 'Resources', hasWindow: true, isLive: true },
  { to: '/ops/errors', label: 'Errors', isLive: true },
  { to: '/ops/logs', label: 'Logs', isLive: true },
  { to: '/ops/alerts', label: 'Alerts', isLive: true },
  { to: '/ops/settings', label: 'Settings' },
] as const;

/** A window within a sentence. */
export const WINDOW_WORDS: Record<TrafficWindow, string> = {
  '1m': 'last minute',
  '5m': 'last 5 minutes',
  '15m': 'last 15 minutes',
  '1h': 'last hour',
};

export const OUTSIDE = 'Outside of a request';
export const NO_TRAFFIC = 'No requests in this time range';

/** The name of an alert within a sentence: `event-loop-delay` is `event loop delay`. */
export const spoken = (name: string) => name.replaceAll('-', ' ').replace(/\bcpu\b/, 'CPU');

/** An alert's value or limit: `82%`, `120 ms`, `1 check`. */
export function measured(value: number | null, unit: Alert['unit']) {
  if (value === null) return '–';
  if (unit === '%') return percent(value / 100);
  if (unit === 'ms') return milliseconds(value);
  const [noun = '', ...rest] = unit.split(' ');
  return [
    value === 1 ? `${number(value)} ${noun.replace(/s$/, '')}` : `${number(value)} ${noun}`,
    ...rest,
  ].join(' ');
}

/** Figures of the health checks that have a name of their own. */
const FIGURES: Record<string, (value: number) => string> = {
  cpus: (value) => count(value, 'CPU'),
  load1m: (value) => `load ${number(value)}`,
  memoryTotalBytes: (value) => `${bytes(value)} of memory`,
  memoryAvailableBytes: (value) => `${bytes(value)} available`,
  uptimeSeconds: (value) => `up for ${span(value * 1_000)}`,
};

/** A figure of a health check. The names of others end in their unit: `freeBytes` is `free 7.8 GiB`. */
export function figure([name, value]: [string, number]) {
  const known = FIGURES[name];
  if (known) return known(value);
  const [, what = name, unit] = /^(.+?)(Bytes|Seconds)?$/.exec(name) ?? [];
  const words = what.replace(/(?<=[a-z])(?=[A-Z\d])/g, ' ').toLowerCase();
  const text = unit === 'Bytes' ? bytes(value) : unit === 'Seconds' ? span(value * 1_000) : number(value);
  return `${words} ${text}`;
}
