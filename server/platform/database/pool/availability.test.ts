import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Availability } from './availability.ts';
import { DatabaseUnavailableError } from './unavailable.ts';

const log = { debug() {}, info() {}, warn() {} };
const warnedInto = (warnings: unknown[]) =>
  new Availability(
    async () => {},
    () => {},
    { ...log, warn: (...said: unknown[]) => void warnings.push(said) },
  );
const refusal = (promise: Promise<void>) =>
  promise.then(
    () => 'admitted',
    (error: Error) => error.name,
  );

it('waits for a silent probe once: later requests are refused at once', async () => {
  const silence = Promise.withResolvers<void>();
  let probes = 0;
  const ask = () => {
    probes++;
    return silence.promise;
  };
  const availability = new Availability(ask, () => {}, log);
  availability.failed(new DatabaseUnavailableError('ECONNREFUSED'), performance.now());

  const began = performance.now();
  const first = refusal(availability.admit());
  expect(await Promise.race([first, nextTurn('waiting')])).toBe('waiting');
  expect(await first).toBe('DatabaseUnavailableError');
  expect(performance.now() - began).toBeGreaterThanOrEqual(245);
  // A timer may be a millisecond early; this one waits for the rest.
  await refusal(availability.admit());
  // The probe is still out. A turn of the loop is too short for any timer to end a wait.
  for (let later = 0; later < 3; later++)
    expect(await Promise.race([refusal(availability.admit()), nextTurn('waiting')])).toBe(
      'DatabaseUnavailableError',
    );
  expect(probes).toBe(1);
  silence.resolve();
});

it('admits a waiting request when the probe is answered', async () => {
  const silence = Promise.withResolvers<void>();
  const availability = new Availability(
    () => silence.promise,
    () => {},
    log,
  );
  availability.failed(new DatabaseUnavailableError('ECONNREFUSED'), performance.now());
  const admitted = refusal(availability.admit());
  availability.answered();
  silence.resolve();
  expect(await admitted).toBe('admitted');
});

it('warns once, but not of a database that starts together with the process', () => {
  const warnings: unknown[] = [];
  const availability = warnedInto(warnings);
  const fail = (sinceMs: number) =>
    availability.failed(new DatabaseUnavailableError('ECONNREFUSED'), performance.now() - sinceMs);
  fail(10);
  fail(10);
  expect(warnings).toEqual([]);
  availability.answered();
  fail(0);
  fail(0);
  expect(warnings).toEqual([[{ reason: 'ECONNREFUSED' }, expect.stringContaining('The database is away')]]);
});

it('warns of a database that says nothing at the start', () => {
  const warnings: unknown[] = [];
  const availability = warnedInto(warnings);
  availability.failed(new DatabaseUnavailableError('no answer'), performance.now() - 3_000);
  expect(warnings).toHaveLength(1);
});
