import { useEffect, useEffectEvent } from 'react';

/** The first event is passed on within so many milliseconds, at random, because a thousand pages are told at once. */
const SPREAD_MS = 200;
/** The next ones together, so many milliseconds later: each may cost a request. */
const PAUSE_MS = 1_000;

/** Tells of each event of a topic; of `undefined` where some may have been missed. Returns a function that ends it. */
export type Subscribe = (topic: string, listener: (payload: unknown) => void) => () => void;

let load: (() => Promise<{ subscribe: Subscribe }>) | undefined;

/** Says where events come from; loaded by the first screen that wants any. */
export function supplyEvents(from: () => Promise<{ subscribe: Subscribe }>) {
  load = from;
}

/** Whether a module supplies events, so that a screen need not poll for what it is told of. */
export const eventsAreSupplied = () => load !== undefined;

/**
 * Calls `onEvents` while the component is on screen, with the payloads of the events of a topic, at most once a second. Without
 * payloads: what is shown may be out of date, so read it again. So it begins, because the data may be older than the subscription.
 *
 * Without a module that supplies events, or without a topic, it does nothing.
 */
export function useEvents<Payload>(
  topic: string | undefined,
  onEvents: (payloads: Payload[] | undefined) => void,
) {
  const tell = useEffectEvent(onEvents);
  useEffect(() => {
    if (topic === undefined) return;
    let unsubscribe: (() => void) | undefined;
    let left = false;
    let pending: Payload[] | undefined = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let toldAt = Number.NEGATIVE_INFINITY;

    const listen = (payload: unknown) => {
      pending = payload === undefined ? undefined : pending && [...pending, payload as Payload];
      timer ??= setTimeout(
        () => {
          timer = undefined;
          toldAt = performance.now();
          const told = pending;
          pending = [];
          tell(told);
        },
        Math.max(Math.random() * SPREAD_MS, toldAt + PAUSE_MS - performance.now()),
      );
    };
    load?.().then(
      ({ subscribe }) => {
        if (!left) unsubscribe = subscribe(topic, listen);
      },
      // Pages work without.
      () => {},
    );
    return () => {
      left = true;
      clearTimeout(timer);
      unsubscribe?.();
    };
  }, [topic]);
}
