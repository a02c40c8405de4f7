import { onlineManager, type QueryClient } from '@tanstack/react-query';
import { ApiError, statusOf, UnreachableError } from './api.ts';
import { store, stored, storedKeys } from './browser-memory.ts';
import { isIdle } from './connection.ts';
import { fieldError, inputType, type Values } from './form-rules.ts';
import type { AnyRecords, Entity, Id } from './records.ts';

/** A record saves itself when nothing was typed for this long, in milliseconds. */
const SAVE_AFTER_MS = 1_000;
/** Delay before a save that got no answer is sent again, in milliseconds. While the server is known to be away, it waits. */
const AGAIN_AFTER_MS = 1_000;
/** The same for a server that answers with an error of its own and does not say when to come back. */
const RETRY_AFTER_MS = 5_000;
/** Saves in a row that may meet a newer version. */
const MAX_CONFLICTS = 3;

/** What is typed and not on the server. */
export interface Draft {
  /** What the server had in these fields when they were edited first. */
  readonly base: Readonly<Record<string, unknown>>;
  readonly change: Values;
}

export interface AutosaveState {
  readonly draft?: Draft;
  /** Why the last save failed; undefined if it got no answer, because it is sent again. */
  readonly error?: unknown;
  /** The draft survives a closed tab. */
  readonly isStored: boolean;
}

/** The autosaves of this tab that hold a draft or are on screen, by the key of their draft. */
const autosaves = new Map<string, Autosave>();
const keyOf = (records: AnyRecords, id: Id) => `draft:${records.name}:${id}`;

/**
 * Saves the fields of one record as they are typed. It works on when its screen is left. The draft is kept in the browser
 * until the server has it; `If-Match` makes it safe to send it again. Changes of other people to other fields are merged.
 */
export class Autosave {
  readonly #records: AnyRecords;
  readonly #client: QueryClient;
  readonly #id: Id;
  readonly #key: string;
  readonly #listeners = new Set<() => void>();
  #state: AutosaveState = { isStored: true };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flight: Promise<void> | undefined;
  #request = new AbortController();
  #unlock: (() => void) | undefined;

  constructor(records: AnyRecords, client: QueryClient, id: Id) {
    this.#records = records;
    this.#client = client;
    this.#id = id;
    this.#key = keyOf(records, id);
  }

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    // It may have been forgotten between the render and now.
    autosaves.set(this.#key, this);
    return () => {
      this.#listeners.delete(listener);
      this.#forget();
    };
  };

  readonly state = () => this.#state;

  /** @param record The record as it is shown, without the draft. */
  edit(record: object, change: Values) {
    const { draft } = this.#state;
    const before = Object.fromEntries(
      Object.keys(change).map((name) => [name, record[name as keyof typeof record]]),
    );
    const next = { base: { ...before, ...draft?.base }, change: { ...draft?.change, ...change } };
    // What a save in flight carries is compared when its answer is there.
    this.#set(this.#flight ? next : this.#withoutSame(next, record));
    this.#schedule(SAVE_AFTER_MS);
  }

  /** Sends the draft now. Resolves when it is saved, or when nothing can be done for the moment. */
  readonly flush = (): Promise<void> => {
    clearTimeout(this.#timer);
    if (this.#flight) return this.#flight.then(this.flush);
    this.#flight = this.#send().finally(() => {
      this.#flight = undefined;
      this.#forget();
    });
    return this.#flight;
  };

  /** Drops the draft, and shows what the server has. */
  discard() {
    this.#request.abort();
    this.#set(undefined);
    // It was not followed while something was typed.
    this.#client.invalidateQueries({ queryKey: this.#records.readQuery(this.#id).queryKey });
  }

  /** Sends the draft over the fields of `record` that it conflicts with. */
  keepMine(record: object) {
    const { draft } = this.#state;
    if (!draft) return;
    const names = Object.keys(draft.change);
    this.#set({
      ...draft,
      base: Object.fromEntries(names.map((name) => [name, record[name as keyof object]])),
    });
    void this.flush();
  }

  /** Takes a draft up that an earlier visit left. */
  resume() {
    const text = stored(this.#key);
    if (text === undefined || this.#state.draft) return;
    this.#set(JSON.parse(text) as Draft);
    void this.flush();
  }

  /** Gives a request up that cannot arrive any more. */
  interrupt() {
    this.#request.abort();
  }

  async #send() {
    // Without an edit between, each round starts with the newer version that the one before it has met.
    for (let conflicts = 0; this.#state.draft && onlineManager.isOnline(); conflicts += 1) {
      this.#request = new AbortController();
      const { signal } = this.#request;
      const query = this.#records.readQuery(this.#id);
      try {
        const staleTime = conflicts === 0 ? Number.POSITIVE_INFINITY : 0;
        const record = (await this.#client.fetchQuery({ ...query, staleTime })) as Entity;
        if (!this.#state.draft) return;
        const draft = this.#withoutSame(this.#state.draft, record);
        this.#set(draft);
        if (!draft || firstError(this.#records, draft.change) || isConflict(this.#records, draft, record))
          return;
        const saved = await this.#records.change(
          this.#client,
          record,
          wire(this.#records, draft.change),
          signal,
        );
        this.#keepTyped(draft, saved);
        return;
      } catch (error) {
        if (signal.aborted && !this.#state.draft) return;
        if (statusOf(error) === 412 && conflicts < MAX_CONFLICTS) continue;
        this.#failed(error, signal.aborted);
        return;
      }
    }
  }

  /** What was typed while `sent` was under way stays a draft, on top of what is saved now. */
  #keepTyped(sent: Draft, saved: object) {
    const { change = {} } = this.#state.draft ?? {};
    const typed = Object.entries(change).filter(([name, value]) => value !== sent.change[name]);
    this.#set(undefined);
    if (typed.length > 0) this.edit(saved, Object.fromEntries(typed));
  }

  #failed(error: unknown, isInterrupted: boolean) {
    if (isInterrupted || error instanceof UnreachableError) return this.#schedule(AGAIN_AFTER_MS);
    const status = statusOf(error) ?? 0;
    if (status === 404) {
      // Nothing is left to add it to. On screen it is kept, because the record may be restored.
      if (this.#listeners.size === 0) return this.#set(undefined);
      void this.#client.resetQueries({ queryKey: this.#records.readQuery(this.#id).queryKey });
    }
    this.#set(this.#state.draft, error);
    const wait = (error instanceof ApiError ? error.retryAfterMs : undefined) ?? RETRY_AFTER_MS;
    if ((status === 429 || status >= 500) && !isIdle()) this.#schedule(wait);
  }

  /** The draft without the fields in which `record` says the same. */
  #withoutSame({ base, change }: Draft, record: object): Draft | undefined {
    const wired = wire(this.#records, change);
    const names = Object.keys(change).filter((name) => wired[name] !== record[name as keyof object]);
    if (names.length === 0) return undefined;
    return { base: only(base, names), change: only(change, names) as Values };
  }

  #set(draft: Draft | undefined, error?: unknown) {
    const isStored = store(this.#key, draft && JSON.stringify(draft)) || draft === undefined;
    this.#state = { ...(draft ? { draft } : {}), error, isStored };
    if (draft) this.#lock();
    else {
      clearTimeout(this.#timer);
      this.#unlock?.();
      this.#unlock = undefined;
    }
    warnBeforeLoss();
    for (const listener of this.#listeners) listener();
  }

  /** While this tab has a draft, no other one takes it up. Held until the tab is closed. */
  #lock() {
    if (this.#unlock) return;
    this.#unlock = () => {};
    void navigator.locks?.request(
      this.#key,
      () =>
        new Promise<void>((resolve) => {
          if (this.#state.draft) this.#unlock = resolve;
          else resolve();
        }),
    );
  }

  #schedule(ms: number) {
    clearTimeout(this.#timer);
    if (this.#state.draft) this.#timer = setTimeout(this.flush, ms);
  }

  #forget() {
    if (this.#listeners.size === 0 && !this.#state.draft && !this.#flight) autosaves.delete(this.#key);
  }
}

const only = (from: object, names: string[]) =>
  Object.fromEntries(names.map((name) => [name, from[name as keyof object]]));

/** The fields as they are sent: numbers as numbers. */
const wire = ({ fields }: AnyRecords, change: Values): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(change).map(([name, value]) => [
      name,
      inputType(fields.properties[name] ?? {}) === 'number' ? Number(value) : value,
    ]),
  );

/** The first rule of the contract that the fields break: its field and its message. */
export function firstError({ fields: { properties, required = [] } }: AnyRecords, change: Values) {
  for (const [name, value] of Object.entries(change)) {
    const message = fieldError(properties[name] ?? {}, required.includes(name), value);
    if (message !== undefined) return { name, message };
  }
  return undefined;
}

/** Whether another person has changed a field that the draft changes too. */
export const isConflict = (records: AnyRecords, { base, change }: Draft, record: object) => {
  const wired = wire(records, change);
  return Object.keys(change).some((name) => {
    const now = record[name as keyof object];
    return now !== base[name] && now !== wired[name];
  });
};

/** Whether something of a record is typed in this tab and not saved. */
export const hasDraft = (records: AnyRecords, id: Id) =>
  autosaves.get(keyOf(records, id))?.state().draft !== undefined;

/** The autosave of a record: one for each, as long as it has a draft or is on screen. */
export function autosaveOf(records: AnyRecords, client: QueryClient, id: Id): Autosave {
  const key = keyOf(records, id);
  watch();
  const autosave = autosaves.get(key) ?? new Autosave(records, client, id);
  autosaves.set(key, autosave);
  return autosave;
}

const resumed = new Set<string>();

/** Sends what earlier visits could not. Another tab's draft stays with that tab. */
export async function resumeDrafts(records: AnyRecords, client: QueryClient) {
  const prefix = keyOf(records, '');
  if (resumed.has(prefix)) return;
  resumed.add(prefix);
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  for (const key of storedKeys(prefix)) {
    if (held.some(({ name }) => name === key)) continue;
    autosaveOf(records, client, key.slice(prefix.length)).resume();
  }
}

let isWatching = false;

/** Saves what is typed when the page is hidden, and again when the server is back. */
function watch() {
  if (isWatching) return;
  isWatching = true;
  const flushAll = () => {
    for (const autosave of autosaves.values()) void autosave.flush();
  };
  document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && flushAll());
  onlineManager.subscribe((isOnline) => {
    if (isOnline) return flushAll();
    // Without an end of its own, a request on a dead connection could hang for minutes.
    for (const autosave of autosaves.values()) autosave.interrupt();
  });
}

const warn = (event: BeforeUnloadEvent) => event.preventDefault();

/** The browser asks before the tab is closed only while a draft is neither on the server nor in the browser. */
function warnBeforeLoss() {
  const isAtRisk = [...autosaves.values()].some((autosave) => !autosave.state().isStored);
  if (isAtRisk) addEventListener('beforeunload', warn);
  else removeEventListener('beforeunload', warn);
}
