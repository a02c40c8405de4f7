import { lt, sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import { encryptedText } from '../../platform/database/encryption/encrypted-text.ts';

const moment = (name: string) => timestamp(name, { withTimezone: true });
const since = (name: string) => moment(name).notNull().defaultNow();

/**
 * People. What better-auth expects of a table is compared by a test; `profile`, `roles` and the bans are ours.
 *
 * An address is kept in lower case.
 */
export const users = pgTable(
  'users',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    email: text().notNull().unique(),
    emailVerified: boolean('email_verified').notNull().default(false),
    image: text(),
    twoFactorEnabled: boolean('two_factor_enabled').default(false),
    createdAt: since('created_at'),
    updatedAt: since('updated_at'),
    /** The adopter's fields. */
    profile: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    roles: text().array().notNull().default([]),
    bannedAt: moment('banned_at'),
    /** Null: for good. */
    bannedUntil: moment('banned_until'),
    banReason: text('ban_reason'),
  },
  (table) => [
    index('users_created').on(table.createdAt, table.id),
    index('users_roles').using('gin', table.roles),
    // By their beginnings, whatever the database's collation.
    index('users_email_beginning').on(table.email.op('text_pattern_ops')),
    index('users_name_beginning').on(sql`lower(${table.name}) text_pattern_ops`),
  ],
);

export const hasRole = (role: string) => sql`${users.roles} @> array[${role}]::text[]`;

const userId = () =>
  text('user_id')
    .notNull()
    .references(() => users.id, { onDelete: 'cascade' });

/** Signed in. */
export const sessions = pgTable(
  'sessions',
  {
    id: text().primaryKey(),
    userId: userId(),
    /** A hash of the token in the cookie. */
    token: text().notNull().unique(),
    expiresAt: moment('expires_at').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    createdAt: since('created_at'),
    updatedAt: since('updated_at'),
    /** The last time that credentials were shown; for what needs a recent sign-in. */
    authenticatedAt: since('authenticated_at'),
    /** The operator who acts as this user, and why. */
    impersonatedBy: text('impersonated_by').references(() => users.id, { onDelete: 'cascade' }),
    impersonationReason: text('impersonation_reason'),
  },
  (table) => [index('sessions_user').on(table.userId)],
);

/** Ways to sign in: a password (`credential`), or a provider of OAuth. */
export const credentials = pgTable(
  'credentials',
  {
    id: text().primaryKey(),
    userId: userId(),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: moment('access_token_expires_at'),
    refreshTokenExpiresAt: moment('refresh_token_expires_at'),
    scope: text(),
    password: text(),
    createdAt: since('created_at'),
    updatedAt: since('updated_at'),
  },
  (table) => [
    index('credentials_user').on(table.userId),
    index('credentials_account').on(table.providerId, table.accountId),
  ],
);

/** What a link or a second step refers to; identifiers are hashed. */
export const verifications = pgTable(
  'verifications',
  {
    id: text().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: moment('expires_at').notNull(),
    createdAt: since('created_at'),
    updatedAt: since('updated_at'),
  },
  (table) => [
    index('verifications_identifier').on(table.identifier),
    index('verifications_expires').on(table.expiresAt),
  ],
);

export const verificationExpired = lt(verifications.expiresAt, sql`now()`);

export const twoFactors = pgTable(
  'two_factors',
  {
    id: text().primaryKey(),
    userId: userId(),
    /** Of the authenticator app. */
    secret: encryptedText('two_factors.secret').notNull(),
    /** Hashes. */
    backupCodes: text('backup_codes').notNull(),
    verified: boolean().default(true),
    failedVerificationCount: integer('failed_verification_count').default(0),
    lockedUntil: moment('locked_until'),
  },
  (table) => [index('two_factors_user').on(table.userId)],
);

export const passkeys = pgTable(
  'passkeys',
  {
    id: text().primaryKey(),
    userId: userId(),
    name: text(),
    publicKey: text('public_key').notNull(),
    credentialID: text('credential_id').notNull().unique(),
    counter: integer().notNull(),
    deviceType: text('device_type').notNull(),
    backedUp: boolean('backed_up').notNull(),
    transports: text(),
    aaguid: text(),
    createdAt: moment('created_at').defaultNow(),
  },
  (table) => [index('passkeys_user').on(table.userId)],
);

/** Keys for programs. The key itself is not kept, but its SHA-256: it has 256 random bits. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: text().primaryKey(),
    userId: userId(),
    name: text().notNull(),
    hash: text().notNull().unique(),
    permissions: text().array().notNull(),
    createdAt: since('created_at'),
    expiresAt: moment('expires_at'),
    lastUsedAt: moment('last_used_at'),
  },
  (table) => [index('api_keys_user').on(table.userId)],
);

/** One-time links that let an address sign up, with roles. The token is not kept, but its SHA-256. */
export const invitations = pgTable('invitations', {
  id: text().primaryKey(),
  email: text().notNull(),
  roles: text().array().notNull().default([]),
  hash: text().notNull().unique(),
  /** Null: made by `main.js admin create`, or at the start of a development server. */
  invitedBy: text('invited_by').references(() => users.id, { onDelete: 'cascade' }),
  createdAt: since('created_at'),
  expiresAt: moment('expires_at').notNull(),
  acceptedAt: moment('accepted_at'),
});

/** When production readiness first met a secret, so that it can tell how old it is. */
export const secretsSeen = pgTable('secrets_seen', {
  /** The setting, and 48 bits of a hash: too few to confirm a guess by. */
  fingerprint: text().primaryKey(),
  firstSeenAt: since('first_seen_at'),
});
