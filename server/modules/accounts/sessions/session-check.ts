import { eq, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { alias } from 'drizzle-orm/pg-core';
import type { BaseLogger } from 'pino';
import { apartFromRequests } from '../../../platform/lib/request-work.ts';
import { hashToken, readSigned } from '../flows/cookies.ts';
import { sessions, users } from '../table.ts';
import { RecentRows, type UserChanges } from './changes.ts';

/** About 5 MB. */
const MAX_RECENT = 5_000;
/** `updated_at` says when a session was last seen, give or take so many milliseconds. */
const SEEN_EVERY_MS = 5 * 60_000;

export interface SessionCheckOptions {
  db: NodePgDatabase;
  log: Pick<BaseLogger, 'warn'>;
  changes: UserChanges;
  /** Of the session's cookie. */
  cookieName: string;
  /** `SESSION_SECRET`: each is accepted. */
  secrets: readonly string[];
  /** A session that was not used for so long has ended, in seconds. */
  idleSeconds: number;
}

const operators = alias(users, 'operators');

const findSession = (db: NodePgDatabase) =>
  db
    .select({
      id: sessions.id,
      userId: sessions.userId,
      expiresAt: sessions.expiresAt,
      lastSeenAt: sessions.updatedAt,
      authenticatedAt: sessions.authenticatedAt,
      impersonatedBy: { id: operators.id, name: operators.name },
      roles: users.roles,
      bannedAt: users.bannedAt,
      bannedUntil: users.bannedUntil,
      emailVerified: users.emailVerified,
      twoFactor: users.twoFactorEnabled,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .leftJoin(operators, eq(operators.id, sessions.impersonatedBy))
    .where(eq(sessions.token, sql.placeholder('hash')))
    .prepare('accounts_session');

/** A session with what decides about it of its user. */
export type SessionRow = Awaited<ReturnType<ReturnType<typeof findSession>['execute']>>[number];

/** Finds the session of a cookie: by its signature and one prepared statement, then for 10 s by a look into memory. */
export class SessionCheck {
  readonly #options: SessionCheckOptions;
  #find: ReturnType<typeof findSession> | undefined;
  /** By the cookie's value. A stranger cannot find one by timing: the map hashes it, with a seed of the process. */
  readonly #recent: RecentRows<SessionRow>;
  readonly #cookie: RegExp;

  constructor(options: SessionCheckOptions) {
    const { changes, cookieName } = options;
    this.#options = options;
    this.#recent = new RecentRows(changes, MAX_RECENT);
    this.#cookie = new RegExp(`(?:^|;) *${cookieName.replaceAll('.', '\\.')}=([^;\\s]+)`);
  }

  /**
   * @param header The request's `Cookie`.
   * @returns Undefined where there is no session: none was sent, its signature is wrong, or it has ended.
   * @throws DatabaseUnavailableError
   */
  find(header: string | undefined): SessionRow | undefined | Promise<SessionRow | undefined> {
    const value = header === undefined ? undefined : this.#cookie.exec(header)?.[1];
    if (value === undefined) return undefined;
    const row = this.#recent.get(value);
    return row !== undefined && this.#isLive(row) ? row : this.#look(header as string, value);
  }

  /** @returns The session of a token as its row is now; undefined where it has ended. */
  async read(token: string): Promise<SessionRow | undefined> {
    this.#find ??= findSession(this.#options.db);
    const [row] = await this.#find.execute({ hash: hashToken(token) });
    return row !== undefined && this.#isLive(row) ? row : undefined;
  }

  async #look(header: string, value: string): Promise<SessionRow | undefined> {
    const { cookieName, secrets } = this.#options;
    const token = readSigned(`${cookieName}=${value}`, cookieName, secrets);
    if (token === undefined) {
      // Another host of the site may have set one of the same name, which comes first.
      const other = readSigned(header, cookieName, secrets);
      return other === undefined ? undefined : this.#touch(await this.read(other));
    }
    return this.#touch(await this.#recent.read(value, () => this.read(token)));
  }

  /** Notes when a session was last seen. */
  #touch(row: SessionRow | undefined): SessionRow | undefined {
    // In time for the shortest idleness.
    const every = Math.min(SEEN_EVERY_MS, this.#options.idleSeconds * 100);
    if (row === undefined || Date.now() - row.lastSeenAt.getTime() < every) return row;
    const { db, log } = this.#options;
    const seen = db.update(sessions).set({ updatedAt: sql`now()` }).where(eq(sessions.id, row.id));
    apartFromRequests(() => seen.execute()).catch((err) =>
      log.warn({ err }, 'The time that a session was last seen could not be written'),
    );
    return row;
  }

  #isLive({ expiresAt, lastSeenAt }: SessionRow): boolean {
    const { idleSeconds } = this.#options;
    const now = Date.now();
    return now < expiresAt.getTime() && now < lastSeenAt.getTime() + idleSeconds * 1_000;
  }
}
