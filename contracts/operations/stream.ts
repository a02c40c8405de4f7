/** What operators may know, of one process, and what they may do. */
import { Type } from 'typebox';
import { Problem } from '../problem.ts';
import type { Alert } from './alerts.ts';
import { operators } from './common.ts';
import { type ErrorGroup, LogLevel, type LogLine } from './log.ts';
import { type History, type Now, Window } from './traffic.ts';

/**
 * The events of the stream, by name. All that one stream says comes from one process, so a screen that draws nothing but
 * what its stream brought never mixes two.
 */
export interface StreamEvents {
  /** First of all, and again after a reconnect. */
  hello: { instance: string; heartbeatMs: number };
  /** At once, then every 2 s. */
  figures: Now;
  /** At first the whole window that was asked for, then each further step as it ends (columns of one element, or a few). */
  history: History;
  /** At first, and when one changed. */
  alerts: { instance: string; alerts: Alert[] };
  /** At first, and when there is another: the latest 50, without their stacks, which `GET /api/monitoring/errors` has. */
  errors: { instance: string; errors: ErrorGroup[] };
  /** Where lines were asked for: the last 200 of them at first, then each. `missed`: those between that could not be kept. */
  log: { instance: string; lines: LogLine[]; missed: number };
  /**
   * This process is about to stop: connect again, another will answer. A stream also ends without a word, shortly before
   * its session does: a browser connects again by itself, which renews the session and resumes by `Last-Event-ID`.
   */
  reconnect: { instance: string };
}

export const readStream = {
  method: 'GET',
  url: '/api/monitoring/stream',
  schema: {
    summary: 'All of it as server-sent events',
    querystring: Type.Object(
      {
        /** Lines of the log of at least this level come as well. */
        log: Type.Optional(Type.Unsafe<LogLevel>(LogLevel)),
        /** How much of the history comes first; 15 minutes where nothing is said. */
        window: Type.Optional(Window),
      },
      { additionalProperties: false },
    ),
    response: {
      200: {
        description: 'Events, until one side has had enough',
        content: { 'text/event-stream': { schema: Type.String() } },
      },
      ...operators,
      503: Problem,
    },
  },
} as const;
