import { onlineManager } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import type { getStatus, Status } from '#contracts/status.ts';
import { ApiError, onUnreachable, request } from './api.ts';

/** How often the server is asked how it is, in milliseconds. */
const EVERY_MS = { starting: 400, troubled: 1_000, ready: 2_000, heard: 5_000 };

/** A server that has not answered for this long counts as unreachable, in milliseconds. */
const ANSWER_WITHIN_MS = 4_000;

/** One lost packet is not an outage: a failure is confirmed after this many milliseconds. */
const CONFIRM_AFTER_MS = 250;

/**
 * After this many milliseconds without a sign of a person, or in the background, the page asks nothing any more, so
 * that a forgotten tab keeps no scaled-to-zero server awake. The next sign of life asks at once.
 */
const IDLE_AFTER_MS = 5 * 60_000;

/** What the page knows about its server. */
export type Connection = {
  reachable: boolean;
  /** The last answer of `/api/status`; undefined before the first. */
  status: Status | undefined;
  /** How many different server processes have answered this page. */
  processes: number;
};

let connection: Connection = { reachable: true, status: undefined, processes: 0 };

/** The processes that have answered, by when they opened their port: exact enough to tell one from the next. */
const processes = new Set<number | null | undefined>();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;
let flight: Promise<void> | undefined;
let lastActive = 0;
let failures = 0;

function update(next: Connection) {
  const changed =
    next.reachable !== connection.reachable ||
    JSON.stringify(next.status) !== JSON.stringify(connection.status);
  if (!changed) return;
  connection = next;
  // Queries and writes wait while this says offline, and go on by themselves afterwards.
  onlineManager.setOnline(next.reachable);
  for (const listener of listeners) listener();
}

async function ask() {
  try {
    const status = await request<typeof getStatus>('GET', '/api/status', {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    failures = 0;
    processes.add(status.startup[0]?.startedAtMs);
    update({ reachable: true, status, processes: processes.size });
  } catch (error) {
    failures = error instanceof ApiError ? 0 : failures + 1;
    update({ ...connection, reachable: failures < 2 });
  }
}

/** Asks the server now, unless a question is under way. Resolves when the answer, or its absence, is known. */
export function askNow(): Promise<void> {
  clearTimeout(timer);
  flight ??= ask().finally(() => {
    flight = undefined;
    schedule();
  });
  return flight;
}

/**
 * The server was heard of by another way, such as an event stream: while that says nothing new, asking can wait, and a
 * server without traffic is left without it.
 */
export function heard(state: string, ready: boolean) {
  if (failures > 0 || state !== connection.status?.state || ready !== !connection.status.problem) askNow();
  else if (ready && flight === undefined) schedule(EVERY_MS.heard);
}

/** Whether the page is unused or hidden. Then only what a person asked for may be sent. */
export const isIdle = () => document.visibilityState === 'hidden' || Date.now() - lastActive > IDLE_AFTER_MS;

const onlookers = new Set<(present: boolean) => void>();
let present = true;

/** Tells when somebody comes back to the page, and when nobody is there any more, as `isIdle` has it. */
export function onPresence(listener: (present: boolean) => void) {
  onlookers.add(listener);
  listener(!isIdle());
}

function lookForPerson() {
  if (present === !isIdle()) return;
  present = !present;
  for (const onlooker of onlookers) onlooker(present);
}

function usualWait() {
  if (failures === 1) return CONFIRM_AFTER_MS;
  if (!connection.reachable || connection.status?.problem !== undefined) return EVERY_MS.troubled;
  return connection.status?.state === 'ready' ? EVERY_MS.ready : EVERY_MS.starting;
}

function schedule(wait = usualWait()) {
  clearTimeout(timer);
  lookForPerson();
  if (!isIdle()) timer = setTimeout(askNow, wait);
}

function active() {
  const slept = Date.now() - lastActive > IDLE_AFTER_MS;
  lastActive = Date.now();
  lookForPerson();
  if (slept) askNow();
}

/** Starts to watch the server. Called once, by `main.tsx`. */
export function watchServer() {
  // The browser's own "online" only knows about the network card; what counts is whether our server answers.
  onlineManager.setEventListener(() => () => {});
  for (const event of ['pointermove', 'pointerdown', 'keydown', 'wheel', 'focus']) {
    addEventListener(event, active, { passive: true, capture: true });
  }
  addEventListener('online', askNow);
  addEventListener('offline', askNow);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') {
      lastActive = Date.now();
      askNow();
    }
    lookForPerson();
  });
  onUnreachable(() => {
    if (flight === undefined && connection.reachable) askNow();
  });
  active();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What the page knows about its server, kept current. */
export const useConnection = () =>
  useSyncExternalStore(
    subscribe,
    () => connection,
    () => connection,
  );

/** Resolves as soon as the server answers. */
export async function serverReachable() {
  await askNow();
  while (!connection.reachable || failures > 0) {
    await new Promise<void>((resolve) => setTimeout(resolve, EVERY_MS.troubled));
    await askNow();
  }
}
