/**
 * Where a reader is: a snapshot of PostgreSQL, which says of every transaction whether it was committed by then, and the time.
 *
 * Ids would not do: a transaction that is open while a later one commits would be passed over. What a reader has not seen are
 * the rows whose transaction is not visible in its snapshot, whenever that commits. Written as `xmin:xmax:xip,…@seconds`
 * (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT).
 */
export interface Position {
  /** As PostgreSQL writes a `pg_snapshot`. */
  readonly snapshot: string;
  /** The first transaction that had not begun. */
  readonly xmax: bigint;
  /** Seconds since 1970, by the database's clock. */
  readonly at: number;
}

/** A header has room for it. A longer one is of a server with hundreds of open transactions. */
const MAX_LENGTH = 2_000;
const WRITTEN = /^(\d{1,19}):(\d{1,19}):(\d{1,19}(?:,\d{1,19})*)?@(\d{1,12})$/;
/** PostgreSQL's numbers have 64 bits. */
const MAX_XID = 2n ** 63n;

/** Of a snapshot that PostgreSQL has written. */
export function positionOf(snapshot: string, at: number): Position {
  const [xmin = '', xmax = ''] = snapshot.split(':');
  // As if everything that was open had been before it: some events come twice, and none is lost.
  const short = snapshot.length > MAX_LENGTH - 20 ? `${xmin}:${xmin}:` : snapshot;
  return { snapshot: short, xmax: BigInt(xmax), at };
}

export const writePosition = ({ snapshot, at }: Position): string => `${snapshot}@${at}`;

/**
 * Reads what a client sends back, which may be anything.
 *
 * @returns Undefined for what PostgreSQL would refuse as a snapshot.
 */
export function readPosition(text: string | undefined): Position | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined;
  const [, xmin, xmax, open, at] = WRITTEN.exec(text) ?? [];
  if (xmin === undefined || xmax === undefined) return undefined;
  const first = BigInt(xmin);
  const end = BigInt(xmax);
  if (first === 0n || first > end || end >= MAX_XID) return undefined;
  let last = first - 1n;
  for (const xid of open?.split(',').map(BigInt) ?? []) {
    if (xid <= last || xid >= end) return undefined;
    last = xid;
  }
  return { snapshot: text.slice(0, text.lastIndexOf('@')), xmax: end, at: Number(at) };
}

/** Whether everything after a position can still be told: not where it is too old, or of another history of the database. */
export const isReplayable = (position: Position, now: Position, keptSeconds: number): boolean =>
  position.xmax <= now.xmax && position.at <= now.at + 60 && now.at - position.at < keptSeconds;
