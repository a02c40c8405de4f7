/**
 * One stream of events for all tabs of a browser: of the tabs that are looked at and want events, the one that holds a Web Lock reads
 * it for all of them. A hidden or forgotten tab wants nothing, so that it keeps no scaled-to-zero server awake; when it is
 * looked at again, it is told that it may have missed something.
 */
import type { EventMessage } from '#contracts/realtime.ts';
import { onPresence, serverReachable } from '@/kit/lib/connection.ts';
import type { Subscribe } from '@/kit/lib/events.ts';
import { readStream } from './stream-reader.ts';

type Word =
  /** A tab wants these topics. */
  | { say: 'want'; tab: string; topics: string[] }
  /** A tab has begun to read, and asks what the others want. */
  | { say: 'who' }
  /** From now on nothing of these topics is missed. */
  | { say: 'live'; topics: string[] }
  | { say: 'message'; message: EventMessage };

/** Topics that are asked for within so many milliseconds share a connection. */
const GATHER_MS = 20;

/** Exists on secure origins alone; elsewhere each tab reads for itself. */
const locks = navigator.locks as LockManager | undefined;
const channel = locks && new BroadcastChannel('events');
const tab = String(Math.random());

type Listener = (payload: unknown) => void;
const listeners = new Map<string, Set<Listener>>();
/** Topics of this tab that may have missed something, until they are live. */
const unsure = new Set<string>();
let position: string | undefined;
let present = true;
/** Ends the wish to read, and reading itself. */
let taking: AbortController | undefined;
let leader: ReturnType<typeof lead> | undefined;

export const subscribe: Subscribe = (topic, listener) => {
  const others = listeners.get(topic);
  if (others) others.add(listener);
  else listeners.set(topic, new Set([listener]));
  unsure.add(topic);
  takePart();
  return () => {
    const left = listeners.get(topic);
    left?.delete(listener);
    if (left?.size === 0) listeners.delete(topic);
    takePart();
  };
};

onPresence((now) => {
  present = now;
  if (!present) for (const topic of listeners.keys()) unsure.add(topic);
  takePart();
});
channel?.addEventListener('message', ({ data }: MessageEvent<Word>) => hear(data));
// It may come back from the browser's cache, where nothing reaches it.
addEventListener('pagehide', () => say({ say: 'want', tab, topics: [] }));

/** Says what this tab wants, and offers itself as reader while it wants anything. */
function takePart() {
  const topics = present ? [...listeners.keys()] : [];
  say({ say: 'want', tab, topics });
  if (topics.length === 0) {
    taking?.abort();
    taking = undefined;
  } else if (!taking) {
    taking = new AbortController();
    const { signal } = taking;
    const read = () => {
      if (signal.aborted) return;
      leader = lead(signal);
      say({ say: 'who' });
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    if (locks) locks.request('events', { signal }, read).catch(() => {});
    else read();
    signal.addEventListener('abort', () => {
      leader = undefined;
    });
  }
}

/** Tells all tabs, this one included. */
function say(word: Word) {
  channel?.postMessage(word);
  hear(word);
}

function hear(word: Word) {
  if (word.say === 'want') leader?.want(word.tab, word.topics);
  else if (word.say === 'who') {
    if (present) say({ say: 'want', tab, topics: [...listeners.keys()] });
  } else if (word.say === 'live') live(word.topics);
  else take(word.message);
}

function live(topics: string[]) {
  if (!present) return;
  for (const topic of topics) if (unsure.delete(topic)) tell(topic, undefined);
}

function take({ position: now, events, missed }: EventMessage) {
  position = now;
  if (!present) return;
  if (missed) for (const topic of listeners.keys()) tell(topic, undefined);
  for (const { topic, payload } of events) tell(topic, payload);
}

function tell(topic: string, payload: unknown) {
  for (const listener of listeners.get(topic) ?? []) listener(payload);
}

/** Reads for all tabs, until `signal` is aborted. */
function lead(signal: AbortSignal) {
  const wants = new Map<string, string[]>();
  /** Topics of the connection that is open, or being opened. */
  let open: string[] = [];
  let isLive = false;
  let connection: AbortController | undefined;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener('abort', () => {
    clearTimeout(gathering);
    connection?.abort();
  });

  function connect() {
    gathering = undefined;
    const wanted = [...new Set([...wants.values()].flat())].sort();
    if (wanted.every((topic) => open.includes(topic))) {
      if (isLive) say({ say: 'live', topics: wanted });
      return;
    }
    connection?.abort();
    connection = new AbortController();
    open = wanted;
    isLive = false;
    const { signal: mine } = connection;
    const read = readStream({
      topics: wanted,
      position: () => position,
      reachable: serverReachable,
      signal: mine,
      onMessage(message) {
        say({ say: 'message', message });
        if (isLive) return;
        isLive = true;
        say({ say: 'live', topics: open.filter((topic) => !message.refused?.includes(topic)) });
      },
    });
    void read.then(() => {
      // Refused: who signs in and comes back asks again.
      if (!mine.aborted) open = [];
    });
  }

  return {
    want(from: string, topics: string[]) {
      if (signal.aborted) return;
      wants.set(from, topics);
      gathering ??= setTimeout(connect, GATHER_MS);
    },
  };
}
