import { inGroup, Refusal, setting } from '../setting.ts';
import { integer, items, milliseconds } from '../values.ts';

const KEYS = {
  concurrency: integer(1, 10_000),
  queue: integer(0, 100_000),
  retries: integer(0, 10),
  timeoutMs: milliseconds(),
};

/** @returns Each as `SERVICE.LIMIT=NUMBER`. */
const parseLimits = (list: string): string[] =>
  items(list).map((item) => {
    const [, key = '', value = ''] = /^[\w-]+\.(\w+)=(\d+)$/.exec(item) ?? [];
    if (!Object.hasOwn(KEYS, key)) {
      const known = Object.keys(KEYS).join(', ');
      throw new Refusal(
        `'${item}' is no limit of a service`,
        `Write SERVICE.LIMIT=NUMBER, as payments.retries=0; a limit is one of ${known}.`,
      );
    }
    KEYS[key as keyof typeof KEYS].parse(value, undefined as never, item);
    return item;
  });

export const dependencies = inGroup('Calls to other services', {
  dependencies: {
    concurrency: setting('DEPENDENCY_CONCURRENCY', KEYS.concurrency, {
      default: 20,
      doc: 'Calls to one service that this process has under way at once.',
    }),
    queue: setting('DEPENDENCY_QUEUE', KEYS.queue, {
      default: 100,
      doc: 'Calls to one service that wait for one of those to end; more are refused.',
    }),
    retries: setting('DEPENDENCY_RETRIES', KEYS.retries, {
      default: 2,
      doc: 'Attempts after a first that failed. They add 10 % of calls at most, so that a service that fails is not called more.',
    }),
    timeoutMs: setting('DEPENDENCY_TIMEOUT_MS', KEYS.timeoutMs, {
      default: 10_000,
      doc: 'How long one attempt may take, where the call says nothing else.',
    }),
    limits: setting(
      'DEPENDENCY_LIMITS',
      { kind: '`SERVICE.LIMIT=NUMBER`, comma-separated', parse: parseLimits },
      {
        default: [],
        defaultText: 'the four above for every service',
        doc: 'Limits of single services, such as `payments.concurrency=5,payments.retries=0`; also `queue` and `timeoutMs`.',
      },
    ),
  },
});
