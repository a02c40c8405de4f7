import type { LogLevel } from '#contracts/operations/log.ts';

export const WINDOWS = ['5m', '15m', '1h'] as const;
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const satisfies LogLevel[];

/** The query of the operations' addresses: a shared address shows the same view. */
export type OperationsSearch = {
  /** The time range; 15 minutes by default. */
  window?: (typeof WINDOWS)[number];
  /** The screen is not updated. */
  paused?: true;
  /** One route, as `GET /api/notes/:id`. */
  route?: string;
  /** The column that routes are sorted by, with a minus where it ascends. */
  sort?: string;
  /** The fingerprint of the error that is open. */
  error?: string;
  /** Log lines of at least this level, with this text, of this request. */
  level?: LogLevel;
  search?: string;
  requestId?: string;
};

/** Drops what the screens do not know from a query. */
export function operationsSearch(given: Record<string, unknown>): OperationsSearch {
  const texts = ['route', 'sort', 'error', 'search', 'requestId'].flatMap((name) =>
    given[name] === undefined || given[name] === '' ? [] : [[name, String(given[name])]],
  );
  const window = WINDOWS.find((one) => one === given.window);
  const level = LEVELS.find((one) => one === given.level);
  return {
    ...Object.fromEntries(texts),
    ...(window ? { window } : {}),
    ...(level ? { level } : {}),
    ...(given.paused ? { paused: true } : {}),
  };
}
