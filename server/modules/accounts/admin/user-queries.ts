import { and, count, desc, eq, gt, isNull, like, max, or, type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Static } from 'typebox';
import type { listUsers as contract, User } from '#contracts/accounts/admin.ts';
import type { PageQuery } from '#contracts/page.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import { hasRole, sessions, users } from '../table.ts';

export type UserFilter = Omit<Static<typeof contract.schema.querystring>, keyof PageQuery>;

export const isBanned = sql<boolean>`(${users.bannedAt} is not null and (${users.bannedUntil} is null or ${users.bannedUntil} > now()))`;
/** PostgreSQL counts microseconds, and JavaScript's dates milliseconds: as a cursor they would skip rows. */
const createdMicros = sql<string>`(extract(epoch from ${users.createdAt}) * 1000000)::bigint`;

const STATES: Record<NonNullable<UserFilter['state']>, SQL | undefined> = {
  active: sql`not ${isBanned}`,
  banned: isBanned,
  unverified: eq(users.emailVerified, false),
};

function columns(db: NodePgDatabase) {
  const live = db
    .select({ count: count() })
    .from(sessions)
    .where(
      and(eq(sessions.userId, users.id), gt(sessions.expiresAt, sql`now()`), isNull(sessions.impersonatedBy)),
    );
  const seen = db
    .select({ at: max(sessions.updatedAt) })
    .from(sessions)
    .where(and(eq(sessions.userId, users.id), isNull(sessions.impersonatedBy)));
  return {
    user: users,
    isBanned,
    micros: createdMicros,
    sessions: sql<number>`(${live})`.mapWith(Number),
    lastSeenAt: sql<Date | null>`(${seen})`.mapWith(sessions.updatedAt),
  };
}

/**
 * One page of users, the newest first.
 *
 * @param cursor `nextCursor` of the page before.
 * @throws ProblemError `bad-request` for a cursor that this server did not make.
 */
export async function listUsers(db: NodePgDatabase, filter: UserFilter, limit: number, cursor?: string) {
  const { search, role, state } = filter;
  const beginning =
    search &&
    `${search
      .trim()
      .toLowerCase()
      .replace(/[\\%_]/g, '\\$&')}%`;
  const rows = await db
    .select(columns(db))
    .from(users)
    .where(
      and(
        cursor === undefined ? undefined : before(cursor),
        beginning ? or(like(users.email, beginning), like(sql`lower(${users.name})`, beginning)) : undefined,
        role === undefined ? undefined : hasRole(role),
        state && STATES[state],
      ),
    )
    .orderBy(desc(users.createdAt), desc(users.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return {
    items: items.map(written),
    nextCursor:
      rows.length > limit && last
        ? Buffer.from(`${last.micros} ${last.user.id}`).toString('base64url')
        : null,
  };
}

function before(cursor: string): SQL {
  const [, micros, id] =
    /^(\d{1,18}) ([\w-]{1,100})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (micros === undefined)
    throw new ProblemError('bad-request', 'Invalid cursor. Start again from the first page.');
  const at = sql`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
  return sql`(${users.createdAt}, ${users.id}) < (${at}, ${id})`;
}

/** @throws ProblemError `not-found` */
export async function readUser(db: NodePgDatabase, id: string): Promise<User> {
  const [row] = await db.select(columns(db)).from(users).where(eq(users.id, id));
  if (row === undefined) throw noUser(id);
  return written(row);
}

export const noUser = (id: string): ProblemError => new ProblemError('not-found', `There is no user ${id}.`);

interface Row {
  user: typeof users.$inferSelect;
  isBanned: boolean;
  sessions: number;
  lastSeenAt: Date | null;
}

function written({ user, isBanned: banned, sessions: live, lastSeenAt }: Row): User {
  const { id, name, email, emailVerified, roles, twoFactorEnabled, createdAt } = user;
  const { bannedAt, bannedUntil, banReason } = user;
  return {
    id,
    name,
    email,
    emailVerified,
    roles,
    twoFactor: twoFactorEnabled === true,
    createdAt: createdAt.toISOString(),
    lastSeenAt: lastSeenAt?.toISOString() ?? null,
    sessions: live,
    ban:
      banned && bannedAt
        ? {
            reason: banReason ?? '',
            since: bannedAt.toISOString(),
            until: bannedUntil?.toISOString() ?? null,
          }
        : null,
  };
}
