import type { EventMessage } from '#contracts/realtime.ts';

/** As the server's `retry`, in milliseconds, and as much more at random: not all pages come back at once. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/** The server says a word every 15 s: a connection without any for so long, in milliseconds, is dead. */
const SILENT_MS = 40_000;

export type StreamOptions = {
  topics: readonly string[];
  /** What to continue from. */
  position(): string | undefined;
  onMessage(message: EventMessage): void;
  /** Resolves when the server can be asked again. */
  reachable(): Promise<void>;
  signal: AbortSignal;
};

/**
 * Reads the stream of some topics, and connects again when it ends, until `signal` is aborted or the server refuses all of them.
 *
 * With `fetch` instead of `EventSource`, which gives up at the first 503 and cannot be told what to continue from.
 */
export async function readStream({
  topics,
  position,
  onMessage,
  reachable,
  signal,
}: StreamOptions): Promise<void> {
  const path = `/api/events?topics=${topics.map(encodeURIComponent).join()}`;
  let failures = 0;
  while (!signal.aborted) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENT_MS);
    try {
      const after = position();
      const response = await fetch(path, {
        cache: 'no-store',
        headers: after === undefined ? {} : { 'last-event-id': after },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (response.status >= 400 && response.status < 500 && response.status !== 429) return;
      if (response.ok && response.body) {
        const parse = messageParser();
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let read = await reader.read(); !read.done; read = await reader.read()) {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENT_MS);
          for (const message of parse(read.value)) {
            failures = 0;
            onMessage(message);
          }
        }
      }
    } catch {
      // The connection was lost, or is no longer wanted.
    } finally {
      clearTimeout(timer);
    }
    const wait = Math.min(RETRY_MS * 2 ** failures++, MAX_RETRY_MS) * (1 + Math.random());
    await pause(wait, signal);
    if (!signal.aborted) await reachable();
  }
}

/** Takes the text of a stream in pieces of any size. @returns The messages that are complete. */
export function messageParser() {
  let rest = '';
  return (text: string): EventMessage[] => {
    const blocks = `${rest}${text}`.split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      return data === undefined ? [] : [JSON.parse(data) as EventMessage];
    });
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
