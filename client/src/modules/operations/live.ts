import { useSyncExternalStore } from 'react';
import type { Alert, listAlerts } from '#contracts/operations/alerts.ts';
import type { ErrorGroup, LogLevel, LogLine, listErrors, readLogs } from '#contracts/operations/log.ts';
import type { ProcessStatus, readFigures } from '#contracts/operations/process.ts';
import type { StreamEvents } from '#contracts/operations/stream.ts';
import type { readHistory, TrafficHistory, TrafficWindow } from '#contracts/operations/traffic.ts';
import { ApiError, request } from '@/kit/lib/api.ts';
import { heard } from '@/kit/lib/connection.ts';

/** The polling interval where no stream is available, in milliseconds. */
const POLL_MS = 5_000;
/** Figures arrive every 2 s: without any for this long, in milliseconds, polling replaces the stream. */
const SILENT_MS = 10_000;
/** The stream is tried again after this time, in milliseconds. */
const STREAM_AGAIN_MS = 15_000;
/** Lines of the log that are held; the server's tail holds as many. */
const MAX_LINES = 1_000;
/** After so many polls in a row that another process answered, that one is watched. */
const SWITCH_AFTER_POLLS = 3;

/** The lengths of windows, in milliseconds. */
export const SPANS: Record<TrafficWindow, number> = {
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
};

/** What is known about the one process that is watched. */
export type Live = {
  /** How the figures arrive. */
  mode: 'connecting' | 'stream' | 'polling' | 'still';
  /** When the latest arrived, in milliseconds since 1970. */
  heardAt?: number;
  instance?: string;
  /** The process that was watched before; its figures are dropped. */
  before?: string;
  now?: ProcessStatus;
  history?: TrafficHistory;
  alerts: Alert[];
  /** The latest kinds, without stacks; undefined before the first event. */
  errors?: ErrorGroup[];
  /** The end of the log, oldest first. */
  lines: LogLine[];
  /** Lines that arrived too fast to be sent. */
  missed: number;
};

const NOTHING: Live = { mode: 'connecting', alerts: [], lines: [], missed: 0 };

let live = NOTHING;
const listeners = new Set<() => void>();

function become(next: Live) {
  live = next;
  for (const listener of listeners) listener();
}

const update = (change: Partial<Live>) => become({ ...live, ...change });

/** A part of it, kept current. */
export const useLive = <Part>(select: (live: Live) => Part) =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => select(live),
  );

/** Forgets everything. Called when an operator signs out. */
export const forget = () => become(NOTHING);

/** From now on this process is watched. */
function watch(instance: string) {
  if (live.instance === instance) return;
  become({
    ...NOTHING,
    mode: live.mode,
    instance,
    ...(live.instance === undefined ? {} : { before: live.instance }),
  });
}

/** Appends further steps to a history if they fit; otherwise they replace it. */
export function joined(held: TrafficHistory | undefined, next: TrafficHistory): TrafficHistory {
  const last = held?.times.at(-1);
  const first = next.times[0];
  if (first === undefined) return held?.window === next.window ? held : next;
  if (
    held === undefined ||
    last === undefined ||
    held.instance !== next.instance ||
    held.window !== next.window ||
    held.stepMs !== next.stepMs ||
    first <= last
  )
    return next;
  const end = next.times.at(-1) as number;
  const from = held.times.findIndex((at) => at > end - SPANS[next.window]);
  const columns = Object.entries(next).map(([name, column]) => [
    name,
    Array.isArray(column)
      ? [...(held[name as 'times'] as number[]).slice(from === -1 ? held.times.length : from), ...column]
      : column,
  ]);
  return Object.fromEntries(columns) as TrafficHistory;
}

/** Appends further lines. */
function withLines(lines: LogLine[]) {
  const last = live.lines.at(-1)?.seq ?? 0;
  const further = lines.filter(({ seq }) => seq > last);
  return further.length === 0 ? live.lines : [...live.lines, ...further].slice(-MAX_LINES);
}

export type Watched = {
  window: TrafficWindow;
  /** Lines of the log of at least this level come as well. */
  level: LogLevel | undefined;
  /** The session may have ended. */
  onRefused: () => void;
};

/**
 * Watches one process: by an event stream or, after that failed twice, by polling every 5 s. A hidden tab does neither.
 *
 * @returns A function that ends it.
 */
export function connect({ window, level, onRefused }: Watched): () => void {
  let source: EventSource | undefined;
  let failures = 0;
  let others = 0;
  let triedAt = 0;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let polls: ReturnType<typeof setInterval> | undefined;
  let asked: AbortController | undefined;

  update({ lines: [], missed: 0, ...(live.mode === 'still' ? { mode: 'connecting' } : {}) });

  function open() {
    close();
    triedAt = Date.now();
    const query = new URLSearchParams({ window, ...(level ? { log: level } : {}) });
    const current = new EventSource(`/api/monitoring/stream?${query}`);
    source = current;
    const on = <Name extends keyof StreamEvents>(name: Name, hear: (data: StreamEvents[Name]) => void) =>
      current.addEventListener(name, ({ data }: MessageEvent<string>) => {
        if (source === current) hear(JSON.parse(data));
      });
    on('hello', ({ instance }) => {
      failures = 0;
      stopPolling();
      watch(instance);
    });
    on('figures', (now) => {
      update({ mode: 'stream', now, heardAt: Date.now() });
      heard(now.state, now.ready);
      clearTimeout(silence);
      silence = setTimeout(poll, SILENT_MS);
    });
    on('history', (next) => update({ history: joined(live.history, next) }));
    on('alerts', ({ alerts }) => update({ alerts }));
    on('errors', ({ errors }) => update({ errors }));
    on('log', ({ lines, missed }) => update({ lines: withLines(lines), missed: live.missed + missed }));
    on('reconnect', open);
    current.onerror = () => {
      if (source !== current) return;
      failures += 1;
      // A refusal cannot be told from a failure here; the session's query can.
      if (current.readyState === EventSource.CLOSED) onRefused();
      if (failures >= 2 || current.readyState === EventSource.CLOSED) poll();
    };
  }

  function close() {
    clearTimeout(silence);
    source?.close();
    source = undefined;
  }

  /** Replaces the stream by polling. */
  function poll() {
    close();
    if (polls !== undefined) return;
    polls = setInterval(ask, POLL_MS);
    ask();
  }

  function stopPolling() {
    clearInterval(polls);
    polls = undefined;
    asked?.abort();
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    try {
      const [now, history, alerts, errors, log] = await Promise.all([
        request<typeof readFigures>('GET', '/api/monitoring/metrics', { signal }),
        request<typeof readHistory>('GET', '/api/monitoring/history', { query: { window }, signal }),
        request<typeof listAlerts>('GET', '/api/monitoring/alerts', { signal }),
        request<typeof listErrors>('GET', '/api/monitoring/errors', { signal }),
        level && request<typeof readLogs>('GET', '/api/monitoring/logs', { query: { level }, signal }),
      ]);
      if (signal.aborted) return;
      // Behind a balancer another process may answer each time; one that keeps answering has taken over.
      if (live.instance !== undefined && now.instance !== live.instance) others += 1;
      else others = 0;
      if (others === 0 || others >= SWITCH_AFTER_POLLS) {
        watch(now.instance);
        const ours = <Answer extends { instance: string }>(
          answer: Answer | undefined,
          take: (answer: Answer) => Partial<Live>,
        ) => (answer?.instance === now.instance ? take(answer) : {});
        update({
          mode: 'polling',
          heardAt: Date.now(),
          now,
          ...ours(history, (history) => ({ history })),
          ...ours(alerts, ({ alerts }) => ({ alerts })),
          ...ours(errors, ({ errors }) => ({ errors })),
          ...ours(log, ({ lines }) => ({ lines: withLines(lines) })),
        });
      }
      if (Date.now() - triedAt > STREAM_AGAIN_MS) open();
    } catch (error) {
      if (signal.aborted) return;
      update({ mode: 'polling' });
      if (error instanceof ApiError && error.problem.status === 401) onRefused();
    }
  }

  function onVisibility() {
    if (document.visibilityState === 'visible') open();
    else {
      stopPolling();
      close();
    }
  }

  document.addEventListener('visibilitychange', onVisibility);
  onVisibility();
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    stopPolling();
    close();
  };
}

/** Marks the screen as paused. */
export const standStill = () => update({ mode: 'still' });
