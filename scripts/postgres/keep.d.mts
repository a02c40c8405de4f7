export interface KeepOptions {
  /** Holds the data and everything kept about it, as in `<clone>/.data/postgres`. One PostgreSQL runs for each folder. */
  folder: string;
  /** Created if it is missing. */
  database: string;
  log(message: string): void;
  /** A Node of version 24 or newer, where this process may run an older one. */
  node?: string;
  /** False, for tests: no fsync. Like `maxConnections` it counts when PostgreSQL starts, not when it is shared. */
  durable?: boolean;
  maxConnections?: number;
  /** How long PostgreSQL stays for the next start when this process was killed, in milliseconds. */
  graceMs?: number;
}

export interface KeptPostgres {
  /** Connection string of the wanted database, as its superuser. */
  url: string;
  /** Resolves when the database answers. Rejects when PostgreSQL cannot run; the message says what to do. */
  ready: Promise<void>;
  /** Ends this process's use of it. The last one's release stops PostgreSQL, and resolves when it is gone. */
  release(): Promise<void>;
}

export function keepPostgres(options: KeepOptions): Promise<KeptPostgres>;
