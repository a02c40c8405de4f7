import { onlineManager } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import type { getStatus, Status } from '#contracts/status.ts';
import { ApiError, onUnreachable, request } from './api.ts';

/** Polling intervals of `/api/status`, in milliseconds. */
const EVERY_MS = { starting: 400, troubled: 1_000, ready: 2_000, heard: 5_000 };

/** Time-out of a status request, in milliseconds. */
const ANSWER_WITHIN_MS = 4_000;

/** Delay before a second request confirms a failure, in milliseconds: one lost packet is no outage. */
const CONFIRM_AFTER_MS = 250;

/**
 * After this many milliseconds without input, or in the background, polling stops, so that a forgotten tab does not keep
 * a scaled-to-zero server awake. The next input polls at once.
 */
const IDLE_AFTER_MS = 5 * 60_000;

/** The state of the connection to the server. */
export type Connection = {
  reachable: boolean;
  /** The last `/api/status` response; undefined before the first. */
  status: Status | undefined;
  /** The number of distinct server processes that have answered. */
  processes: number;
};

let connection: Connection = { reachable: true, status: undefined, processes: 0 };

/** Processes seen, identified by the time they opened their port. */
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
  // While offline, queries and mutations pause; they resume by themselves.
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

/** Requests the status now, or joins the request in flight. Resolves when it has succeeded or failed. */
function askNow(): Promise<void> {
  clearTimeout(timer);
  flight ??= ask().finally(() => {
    flight = undefined;
    schedule();
  });
  return flight;
}

/**
 * Reports the state received another way, such as an event stream. While it is unchanged, polling slows down.
 */
export function heard(state: string, ready: boolean) {
  if (failures > 0 || state !== connection.status?.state || ready !== !connection.status.problem) askNow();
  else if (ready && flight === undefined) schedule(EVERY_MS.heard);
}

/** Whether the page is inactive or hidden. Then nothing may be sent without user input. */
export const isIdle = () => document.visibilityState === 'hidden' || Date.now() - lastActive > IDLE_AFTER_MS;

const onlookers = new Set<(present: boolean) => void>();
let present = true;

/**
 * Reports when a person returns to the page, and when it has been idle for as long as `isIdle` says.
 *
 * @returns A function that unsubscribes.
 */
export function onPresence(listener: (present: boolean) => void) {
  lookForPerson();
  onlookers.add(listener);
  listener(present);
  return () => void onlookers.delete(listener);
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

/** Starts polling. `main.tsx` calls it once. */
export function watchServer() {
  // `navigator.onLine` reports the network interface only; what matters is whether the server answers.
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

/** The connection state, kept current. */
export const useConnection = () =>
  useSyncExternalStore(
    subscribe,
    () => connection,
    () => connection,
  );

/** Whether this is development, as the server says; undefined until it has answered. */
export function useIsDevelopment(): boolean | undefined {
  const { reachable, status } = useConnection();
  if (import.meta.env.DEV) return true;
  return status === undefined && reachable ? undefined : status?.development !== undefined;
}

/** Resolves as soon as the server answers. */
export async function serverReachable() {
  await askNow();
  while (!connection.reachable || failures > 0) {
    await new Promise<void>((resolve) => setTimeout(resolve, EVERY_MS.troubled));
    await askNow();
  }
}
