import { sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Listener } from '../../../platform/database/listener.ts';
import type { Transaction } from '../../../platform/database/transaction.ts';
import type { Events } from '../../../platform/parts.ts';

/** What processes NOTIFY each other on: the id of a user whose sessions, keys, roles or ban have changed. */
const CHANNEL = 'users';
/** In milliseconds: for so long a notification that never comes can matter. */
const KEPT_MS = 10_000;

export interface UserChangesOptions {
  db: NodePgDatabase;
  listener: Pick<Listener, 'on' | 'available'>;
  /** Open streams of events are judged again, if there are any. */
  events?: Pick<Events, 'identityChanged'> | undefined;
}

/** Tells every process that what it has read of a user's sessions, keys, roles or ban may no longer be so. */
export class UserChanges {
  readonly #options: UserChangesOptions;
  readonly #told = new Set<(userId: string | undefined) => void>();
  /** Whether the channel is listened to, as long as the listener is available. */
  #listening = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: UserChangesOptions) {
    this.#options = options;
  }

  /** A change in this transaction: told once it is committed. */
  changedIn(tx: Transaction, userId: string): void {
    tx.afterCommit(() => this.changed(userId));
  }

  /** A change that is committed. */
  async changed(userId: string): Promise<void> {
    this.#tell(userId);
    const { db, events } = this.#options;
    await db.execute(sql`select pg_notify(${CHANNEL}, ${userId})`);
    await events?.identityChanged(userId);
  }

  /** Whether a change elsewhere would be told here: not before `listen`, and not while the listener's connection is lost. */
  get heard(): boolean {
    return this.#listening && this.#options.listener.available;
  }

  /** Called once a user has signed in, so that a server without sign-ins opens no connection for it. */
  listen(): void {
    this.#unsubscribe ??= this.#options.listener.on(CHANNEL, (userId) => this.#tell(userId), {
      // Changes may have been missed.
      onReconnect: () => {
        this.#listening = true;
        this.#tell(undefined);
      },
    });
  }

  /** @param fn Called with a user's id, or with undefined for anybody's. */
  onChange(fn: (userId: string | undefined) => void): void {
    this.#told.add(fn);
  }

  end(): void {
    this.#unsubscribe?.();
  }

  #tell(userId: string | undefined): void {
    for (const fn of this.#told) fn(userId);
  }
}

/**
 * Rows that belong to users, as they were read at most 10 s ago; never that there is none. A change of the user removes them, in
 * every process. While changes would not be heard it keeps nothing.
 */
export class RecentRows<Row extends { readonly userId: string }> {
  readonly #changes: UserChanges;
  readonly #max: number;
  readonly #rows = new Map<string, { readonly row: Row; readonly until: number }>();
  /** Counts changes: what was read before one is not kept after it. */
  #changed = 0;

  /** @param max Rows that are kept. */
  constructor(changes: UserChanges, max: number) {
    this.#changes = changes;
    this.#max = max;
    changes.onChange((userId) => {
      this.#changed++;
      for (const [key, { row }] of this.#rows) {
        if (userId === undefined || row.userId === userId) this.#rows.delete(key);
      }
    });
  }

  get(key: string): Row | undefined {
    const known = this.#rows.get(key);
    return known !== undefined && Date.now() < known.until && this.#changes.heard ? known.row : undefined;
  }

  /** @param read Reads the row; how long it is valid is for the caller to judge. */
  async read(key: string, read: () => Promise<Row | undefined>): Promise<Row | undefined> {
    const before = this.#changed;
    const row = await read();
    if (row === undefined) return undefined;
    this.#changes.listen();
    if (this.#changed === before && this.#changes.heard) {
      // The first of a map is the one that was set first.
      if (this.#rows.size >= this.#max) this.#rows.delete(this.#rows.keys().next().value as string);
      this.#rows.delete(key);
      this.#rows.set(key, { row, until: Date.now() + KEPT_MS });
    }
    return row;
  }
}
