import { expect, test } from 'vitest';
import type { Alert } from '#contracts/operations/alerts.ts';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import { sentence } from './sentence.ts';

const at = Date.parse('2026-11-21T12:00:00Z');
const ago = (ms: number) => new Date(at - ms).toISOString();
const now = {
  instance: 'web-1f3a9c',
  state: 'ready',
  ready: true,
  since: ago(76 * 3_600_000),
  at: ago(0),
  requestsPerSecond: 42,
  errorRatio: 0.0002,
  p95Ms: 12,
} as ProcessStatus;
const firing = (name: string, silencedUntil?: string) =>
  ({ name, state: 'firing', ...(silencedUntil ? { silencedUntil } : {}) }) as Alert;

test.each<[string, Partial<ProcessStatus>, Alert[]]>([
  [
    'Ready for 3 d 4 h. 42 requests a second, 0.02% errors, 95% within 12 ms. One alert: event loop delay.',
    {},
    [firing('event-loop-delay')],
  ],
  [
    'Ready for 5 s. 12 requests a minute, no errors, 95% within 0.42 ms. No alerts.',
    { since: ago(5_000), requestsPerSecond: 0.2, errorRatio: 0, p95Ms: 0.42 },
    [{ name: 'high-cpu', state: 'pending' } as Alert],
  ],
  [
    'Ready for 3 d 4 h. No traffic in the last minute. Two alerts: high CPU and low disk. 1 silenced.',
    { requestsPerSecond: 0, errorRatio: 0, p95Ms: null },
    [firing('high-cpu'), firing('low-disk'), firing('high-memory', ago(-1_000))],
  ],
  [
    'Not ready for 1 min 10 s: database: no answer. 1 request a minute, 100% errors, 95% within 1.2 s. No alerts.',
    {
      ready: false,
      problem: 'database: no answer',
      since: ago(70_000),
      requestsPerSecond: 0.01,
      errorRatio: 1,
      p95Ms: 1_200,
    },
    [],
  ],
])('%s', (said, change, alerts) => {
  const words = sentence({ ...now, ...change }, alerts, at).join(' ');
  expect(words.replaceAll('\u00a0', ' ')).toBe(said);
});
