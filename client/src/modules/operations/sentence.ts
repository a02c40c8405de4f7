import type { Alert } from '#contracts/operations/alerts.ts';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import { asSentence, clock } from '@/kit/lib/format.ts';
import { milliseconds, number, percent, span } from './units.ts';

/** An alert's name within a sentence: `event-loop-delay` is `event loop delay`. */
export const spoken = (name: string) => name.replaceAll('-', ' ').replace(/\bcpu\b/, 'CPU');

const COUNTS = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'];

function condition({ ready, state, since, problem }: ProcessStatus, at: number) {
  if (ready) return `Ready for ${span(at - Date.parse(since))}.`;
  if (state === 'draining') return 'Draining: requests under way are finished, then it stops.';
  const why = problem === undefined ? '' : `: ${problem}`;
  return asSentence(`Not ready for ${span(at - Date.parse(since))}${why}`);
}

function traffic({ requestsPerSecond: rate, errorRatio, p95Ms }: ProcessStatus) {
  if (rate === 0) return 'No traffic in the last minute.';
  const often =
    rate >= 0.95
      ? `${number(rate)} requests a second`
      : `${Math.max(1, Math.round(rate * 60))} requests a minute`;
  const errors = errorRatio === 0 ? 'no errors' : `${percent(errorRatio)} errors`;
  const duration = p95Ms === null ? '' : `, p95 ${milliseconds(p95Ms)}`;
  return `${often.replace(/^1 requests/, '1 request')}, ${errors}${duration}.`;
}

/** The alerts to act on: those that fire and are not silenced. */
export const loud = (alerts: readonly Alert[]) =>
  alerts.filter(({ state, silencedUntil }) => state === 'firing' && silencedUntil === undefined);

function warnings(alerts: readonly Alert[]) {
  const names = loud(alerts).map(({ name }) => spoken(name));
  const silenced = alerts.filter(({ state, silencedUntil }) => state === 'firing' && silencedUntil).length;
  const aside = silenced > 0 ? ` ${silenced} silenced.` : '';
  if (names.length === 0) return `No alerts.${aside}`;
  const list = new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
  return `${COUNTS[names.length] ?? names.length} ${names.length === 1 ? 'alert' : 'alerts'}: ${list}.${aside}`;
}

/** The state of the process in one sentence, as a colleague would say it. */
export const sentence = (now: ProcessStatus, alerts: readonly Alert[], at = Date.parse(now.at)) => [
  condition(now, at),
  `${traffic(now)} ${warnings(alerts)}`,
];

/** The sentence when the process no longer answers. */
export const lastWords = (now: ProcessStatus, heardAt: number) => [
  `No answer since ${clock(heardAt)}.`,
  `Before that: ${traffic(now).replace(/^No/, 'no')}`,
];
