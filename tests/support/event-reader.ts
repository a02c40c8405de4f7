import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { EventMessage } from '#contracts/realtime.ts';
import { until } from './until.ts';

/** A client of `/api/events`, which remembers what it was told. */
export interface EventReader extends Disposable {
  readonly status: number;
  readonly response: IncomingMessage;
  readonly messages: EventMessage[];
  /** Payloads of a topic, or of all. */
  payloads(topic?: string): unknown[];
  /** The last position. */
  position(): string;
  /** Resolves at its first message: from then on nothing is missed. */
  joined(): Promise<void>;
  readonly ended: boolean;
  /** What the server wrote, as it is. */
  text(): string;
}

/**
 * Opens a stream of events.
 *
 * @param url Of the server.
 * @param topics Comma-separated.
 * @param headers Such as `last-event-id`.
 */
export async function readEvents(
  url: string,
  topics: string,
  headers: Record<string, string> = {},
): Promise<EventReader> {
  const [response] = (await once(
    get(`${url}/api/events?topics=${encodeURIComponent(topics)}`, { agent: false, headers }),
    'response',
  )) as [IncomingMessage];
  const messages: EventMessage[] = [];
  let text = '';
  let unread = '';
  let ended = false;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    const blocks = `${unread}${chunk}`.split('\n\n');
    unread = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) messages.push(JSON.parse(data));
    }
  });
  response
    .on('error', () => {})
    .once('close', () => {
      ended = true;
    });
  return {
    status: response.statusCode ?? 0,
    response,
    messages,
    payloads: (topic) =>
      messages.flatMap(({ events }) =>
        events.filter((event) => topic === undefined || event.topic === topic).map(({ payload }) => payload),
      ),
    position: () => messages.at(-1)?.position ?? '',
    async joined() {
      await until('the first message of the stream', () => messages.length > 0);
    },
    get ended() {
      return ended;
    },
    text: () => text,
    [Symbol.dispose]: () => void response.destroy(),
  };
}
