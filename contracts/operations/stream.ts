/** The event stream of the operations screen. */
import { Type } from 'typebox';
import { Problem } from '../problem.ts';
import type { Alert } from './alerts.ts';
import { operators } from './common.ts';
import { type ErrorGroup, LogLevel, type LogLine } from './log.ts';
import type { ProcessStatus } from './process.ts';
import { type TrafficHistory, TrafficWindow } from './traffic.ts';

/** The events, by name. All events of one stream come from one process. */
export interface StreamEvents {
  /** First, also after a reconnect. */
  hello: { instance: string; heartbeatMs: number };
  /** At once, then every 2 s. */
  figures: ProcessStatus;
  /** The requested window first, then each step when it ends, as columns of one or a few elements. */
  history: TrafficHistory;
  /** At first, and when one changed. */
  alerts: { instance: string; alerts: Alert[] };
  /** At first, and on each new error: the latest 50, without stacks, which `GET /api/monitoring/errors` has. */
  errors: { instance: string; errors: ErrorGroup[] };
  /** If `log` was given: the last 200 lines first, then each new one. `missed`: lines that were dropped in between. */
  log: { instance: string; lines: LogLine[]; missed: number };
  /**
   * This process drains: connect again, another process will answer. A stream also ends without this event shortly before
   * its session expires. The browser then reconnects, which renews the session, and resumes by `Last-Event-ID`.
   */
  reconnect: { instance: string };
}

export const readStream = {
  method: 'GET',
  url: '/api/monitoring/stream',
  schema: {
    summary: 'Figures, history, alerts, errors and log lines as server-sent events',
    querystring: Type.Object(
      {
        /** Also send log lines of at least this level. */
        log: Type.Optional(Type.Unsafe<LogLevel>(LogLevel)),
        /** The window of the first history; 15 minutes by default. */
        window: Type.Optional(TrafficWindow),
      },
      { additionalProperties: false },
    ),
    response: {
      200: {
        description: 'Events, until the client or the server closes the connection',
        content: { 'text/event-stream': { schema: Type.String() } },
      },
      ...operators,
      503: Problem,
    },
  },
} as const;
