import { Type } from 'typebox';
import { Problem } from './problem.ts';

/** A name, and behind a colon which of many: `notes`, `orders:42`. */
const TOPIC = '[a-z][a-z0-9-]{0,47}(?::[A-Za-z0-9._-]{1,48})?';

/** Up to 50 topics, comma-separated. */
export const TOPICS = `^${TOPIC}(?:,${TOPIC}){0,49}$`;

/** What a stream sends, each time as one message. */
export interface EventMessage {
  /** What to continue from: sent back as `Last-Event-ID`, or as `after`. */
  position: string;
  /** In the order in which they were committed, as far as there is one. */
  events: { topic: string; payload: unknown }[];
  /** There may have been other events, which cannot be told any more: read again what depends on them. */
  missed?: true;
  /** Topics that are not, or no longer, for this client. */
  refused?: string[];
}

export const watchEvents = {
  method: 'GET',
  url: '/api/events',
  schema: {
    summary: 'What happens, by topic, as server-sent events',
    querystring: Type.Object(
      {
        topics: Type.String({
          description: 'Up to 50, comma-separated',
          maxLength: 5_000,
          pattern: TOPICS,
        }),
        after: Type.Optional(
          Type.String({ description: 'The last position, where no Last-Event-ID is sent', maxLength: 2_000 }),
        ),
      },
      { additionalProperties: false },
    ),
    response: {
      200: {
        description: 'Messages, until one side has had enough',
        content: { 'text/event-stream': { schema: Type.String() } },
      },
      400: Problem,
      401: Problem,
      403: Problem,
      404: Problem,
      503: Problem,
    },
  },
} as const;
