import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { apartFromRequests } from '../lib/request-work.ts';
import type { Logger } from './pool/availability.ts';

type DrizzleTransaction = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];
/** What runs after a commit. A promise is not awaited. */
export type AfterCommit = () => void | Promise<void>;

/** drizzle's transaction, which also tells when it is committed. */
export interface Transaction extends Omit<DrizzleTransaction, 'transaction'> {
  /**
   * Calls `callback` once, after the commit and never after a rollback, be it that of a savepoint. A process that is killed in
   * between never calls it. Its errors are logged.
   */
  afterCommit(callback: AfterCommit): void;
  /** A savepoint. */
  transaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** The log of each pool, so that who has a `db` needs nothing else. */
const logs = new WeakMap<NodePgDatabase, Logger>();

/** Has errors of `afterCommit` callbacks logged. */
export function logTransactions(db: NodePgDatabase, log: Logger): void {
  logs.set(db, log);
}

/**
 * Runs `fn` in a transaction: committed when it returns, rolled back when it throws.
 *
 * @returns What `fn` returns, once it is committed.
 * @throws What `fn` throws; an Error where PostgreSQL rolled back instead, because `fn` caught the error of a statement and went on.
 */
export async function transaction<T>(db: NodePgDatabase, fn: (tx: Transaction) => Promise<T>): Promise<T> {
  const callbacks: AfterCommit[] = [];
  const result = await db.transaction((tx) => fn(withAfterCommit(tx, callbacks)));
  apartFromRequests(() => {
    for (const callback of callbacks) {
      Promise.resolve()
        .then(callback)
        .catch((err) => {
          logs
            .get(db)
            ?.warn({ err }, 'What should follow a transaction failed; the transaction is committed');
        });
    }
  });
  return result;
}

function withAfterCommit(tx: DrizzleTransaction, callbacks: AfterCommit[]): Transaction {
  const savepoint = tx.transaction.bind(tx);
  return Object.assign(tx, {
    afterCommit: (callback: AfterCommit) => void callbacks.push(callback),
    async transaction<T>(fn: (inner: Transaction) => Promise<T>): Promise<T> {
      const own: AfterCommit[] = [];
      const result = await savepoint((inner) => fn(withAfterCommit(inner, own)));
      callbacks.push(...own);
      return result;
    },
  }) as unknown as Transaction;
}
