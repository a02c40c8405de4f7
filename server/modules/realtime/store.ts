import { type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { BaseLogger } from 'pino';
import type { Transaction } from '../../platform/database/transaction.ts';
import { atMostEvery } from '../../platform/lib/at-most-every.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { isStorable } from '../../platform/lib/storable.ts';
import { type Position, positionOf } from './position.ts';
import { events } from './table.ts';

/** What processes NOTIFY each other on. */
export const CHANNEL = 'events';
/** How long an event is kept, in seconds. */
export const KEPT_SECONDS = 3_600;
/** A process looks for expired events this often at most, when it writes one, in milliseconds. */
const PRUNE_EVERY_MS = 60_000;
const PRUNE_AT_ONCE = 5_000;
/** Notifying commits wait for each other in the whole database: so many milliseconds at least between two of a process. */
const NOTIFY_EVERY_MS = 25;
/** Of a payload as JSON, in bytes. Ids take less. */
const MAX_PAYLOAD_BYTES = 1_000;
/** So many events are read at once. Twice as many fit into what a stream may leave unread. */
const PAGE = 250;

export interface StoredEvent {
  readonly id: number;
  readonly topic: string;
  readonly payload: unknown;
}

export interface NewEvents {
  readonly events: StoredEvent[];
  /** Where the reader is once it has read all pages. */
  readonly position: Position;
  /** There are more: ask again, with this as `page`. */
  readonly next: { after: number; until: Position } | undefined;
}

type Row = { snapshot: string; at: string; id: string | null; topic: string; payload: unknown };

/** The events in the database: written in transactions of others, read by every process. */
export class EventStore {
  readonly #db: NodePgDatabase;
  readonly #log: Pick<BaseLogger, 'debug' | 'warn'>;
  readonly #pruneIfDue = atMostEvery(
    PRUNE_EVERY_MS,
    () => this.#prune(),
    (err) => this.#log.warn({ err }, 'Expired events could not be removed; a later write tries again'),
  );
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #notification: NodeJS.Timeout | undefined;
  /** Events written by this process. */
  published = 0;

  constructor(db: NodePgDatabase, log: Pick<BaseLogger, 'debug' | 'warn'>) {
    this.#db = db;
    this.#log = log;
  }

  /** @throws TypeError where the payload is too large, or has characters that jsonb refuses: the transaction goes on. */
  async write(tx: Transaction, topic: string, payload: unknown): Promise<void> {
    const json = JSON.stringify(payload) ?? 'null';
    if (Buffer.byteLength(json) > MAX_PAYLOAD_BYTES) {
      throw new TypeError(
        `The payload of an event of '${topic}' has more than ${MAX_PAYLOAD_BYTES} bytes: send ids, and have the page read the rest.`,
      );
    }
    if (!isStorable(json)) {
      throw new TypeError(
        `The payload of an event of '${topic}' has a NUL or half of a surrogate pair, which PostgreSQL does not store.`,
      );
    }
    await tx.execute(sql`insert into ${events} (topic, payload) values (${topic}, ${json}::jsonb)`);
    tx.afterCommit(() => {
      this.published++;
      this.#notifySoon();
      this.#pruneIfDue();
    });
  }

  /** Tells every process. @param payload Empty: there are events. */
  async notify(payload = ''): Promise<void> {
    await apartFromRequests(() => this.#db.execute(sql`select pg_notify(${CHANNEL}, ${payload})`));
  }

  /** Sends a notification that is due, before the pool ends. */
  async flush(): Promise<void> {
    if (this.#notification === undefined) return;
    clearTimeout(this.#notification);
    await this.#notifyNow();
  }

  /**
   * Reads what was committed after a position, in one snapshot, oldest first.
   *
   * @param after Undefined: read nothing, and learn the present position.
   * @param page `next` of the page before.
   */
  async read(after: Position | undefined, page?: NewEvents['next']): Promise<NewEvents> {
    const until = page ? sql`${page.until.snapshot}::pg_snapshot` : sql`pg_current_snapshot()`;
    const further = page ? sql`and id > ${page.after} order by id` : sql`order by id`;
    const rows = await this.#rows(after, until, further, PAGE + 1);
    const position = page?.until ?? positionOf(rows[0]?.snapshot ?? '', Number(rows[0]?.at));
    const found = storedEvents(rows);
    const read = found.slice(0, PAGE);
    const last = read.at(-1);
    return {
      events: read,
      position,
      next: found.length > PAGE && last ? { after: last.id, until: position } : undefined,
    };
  }

  /** Reads what was committed between two positions, of some topics. @returns Undefined where there is more than `limit`. */
  async replay(
    after: Position,
    until: Position,
    topics: readonly string[],
    limit: number,
  ): Promise<StoredEvent[] | undefined> {
    const list = sql.join(
      topics.map((topic) => sql`${topic}`),
      sql`, `,
    );
    // Not ordered, so that the scan ends where there are too many.
    const found = storedEvents(
      await this.#rows(after, sql`${until.snapshot}::pg_snapshot`, sql`and topic in (${list})`, limit + 1),
    );
    return found.length > limit ? undefined : found;
  }

  async #rows(after: Position | undefined, until: SQL, further: SQL, limit: number): Promise<Row[]> {
    const wanted = after
      ? sql`xid >= pg_snapshot_xmin(${after.snapshot}::pg_snapshot)
            and not pg_visible_in_snapshot(xid, ${after.snapshot}::pg_snapshot)
            and pg_visible_in_snapshot(xid, now.snapshot) ${further}`
      : sql`false`;
    const { rows } = await this.#db.execute<Row>(sql`
      select now.snapshot::text, now.at, one.id, one.topic, one.payload
      from (select ${until} as snapshot, floor(extract(epoch from now()))::bigint as at) now
      left join lateral (select id, topic, payload from ${events} where ${wanted} limit ${limit}) one on true
      order by one.id`);
    return rows;
  }

  /** At once where nothing was notified for a while, else together with what comes meanwhile. */
  #notifySoon(): void {
    if (this.#notification !== undefined) return;
    const wait = Math.max(0, this.#notifiedAt + NOTIFY_EVERY_MS - performance.now());
    this.#notification = setTimeout(() => void this.#notifyNow(), wait);
  }

  async #notifyNow(): Promise<void> {
    this.#notification = undefined;
    this.#notifiedAt = performance.now();
    await this.notify().catch((err) =>
      this.#log.debug(
        { err },
        'Events could not be notified; open streams find them with their next heartbeat',
      ),
    );
  }

  async #prune(): Promise<void> {
    for (let removed: number | null = PRUNE_AT_ONCE; removed === PRUNE_AT_ONCE; ) {
      // The oldest are the first of the key; two writers never wait for each other to delete expired rows.
      ({ rowCount: removed } = await this.#db.execute(sql`
        delete from ${events} where id in (
          select id from (select id, created_at from ${events} order by id limit ${PRUNE_AT_ONCE} for update skip locked) oldest
          where created_at < now() - ${KEPT_SECONDS} * interval '1 second')`));
    }
  }
}

const storedEvents = (rows: readonly Row[]): StoredEvent[] =>
  rows.flatMap(({ id, topic, payload }) => (id === null ? [] : [{ id: Number(id), topic, payload }]));
