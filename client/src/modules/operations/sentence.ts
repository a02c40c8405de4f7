import type { Alert } from '#contracts/operations/alerts.ts';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import { asSentence, clock, count, list, milliseconds, number, percent, span } from '@/kit/lib/format.ts';
import { spoken } from './texts.ts';

const COUNTS = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'];

function condition({ ready, state, since, problem }: ProcessStatus, at: number) {
  if (ready) return `Ready for ${span(at - Date.parse(since))}.`;
  if (state === 'draining') return 'Draining: requests in flight are finished, then the process stops.';
  const why = problem === undefined ? '' : `: ${problem}`;
  return asSentence(`Not ready for ${span(at - Date.parse(since))}${why}`);
}

function traffic({ requestsPerSecond: rate, errorRatio, p95Ms }: ProcessStatus) {
  if (rate === 0) return 'No traffic in the last minute.';
  const often =
    rate >= 1.5
      ? `${number(rate)} requests a second`
      : `${count(Math.max(1, Math.round(rate * 60)), 'request')} a minute`;
  const errors = errorRatio === 0 ? 'no errors' : `${percent(errorRatio)} errors`;
  const duration = p95Ms === null ? '' : `, ${percent(0.95)} within ${milliseconds(p95Ms)}`;
  return `${often}, ${errors}${duration}.`;
}

/** The alerts that fire and are not silenced. */
export const loud = (alerts: readonly Alert[]) =>
  alerts.filter(({ state, silencedUntil }) => state === 'firing' && silencedUntil === undefined);

function warnings(alerts: readonly Alert[]) {
  const names = loud(alerts).map(({ name }) => spoken(name));
  const silenced = alerts.filter(({ state, silencedUntil }) => state === 'firing' && silencedUntil).length;
  const aside = silenced > 0 ? ` ${silenced} silenced.` : '';
  if (names.length === 0) return `No alerts.${aside}`;
  return `${COUNTS[names.length] ?? names.length} ${names.length === 1 ? 'alert' : 'alerts'}: ${list(names)}.${aside}`;
}

/** The state of the process in a sentence: its condition, then traffic and alerts. */
export const sentence = (now: ProcessStatus, alerts: readonly Alert[], at = Date.parse(now.at)) => [
  condition(now, at),
  `${traffic(now)} ${warnings(alerts)}`,
];

/** What to say once the process no longer answers. */
export const lastWords = (now: ProcessStatus, heardAt: number) => [
  `No answer since ${clock(heardAt)}.`,
  `Before that: ${traffic(now).replace(/^No/, 'no')}`,
];
