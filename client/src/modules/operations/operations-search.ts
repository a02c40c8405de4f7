import type { LogLevel } from '#contracts/operations/log.ts';

export const WINDOWS = ['5m', '15m', '1h'] as const;
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const satisfies LogLevel[];

/** What stands after the `?` of the operations' addresses: a shared address shows the same view. */
export type OperationsSearch = {
  /** How far back; 15 minutes where nothing is said. */
  window?: (typeof WINDOWS)[number];
  /** What is shown stands still. */
  paused?: true;
  /** One route, as `GET /api/notes/:id`. */
  route?: string;
  /** The column that routes are ordered by. */
  sort?: string;
  /** The fingerprint of the error that is open. */
  error?: string;
  /** Lines of the log of at least this level, with these words, of this request. */
  level?: LogLevel;
  search?: string;
  requestId?: string;
};

/** Takes of an address what the screens understand. */
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
