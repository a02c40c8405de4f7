/**
 * better-auth: signing in, sessions, second factors and providers. Loaded on the first use, after the port is open. Of its HTTP
 * paths only the callback of providers is mounted (docs/decisions/0031-better-auth-for-the-flows.md).
 */
import { createHash } from 'node:crypto';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { APIError } from 'better-auth/api';
import { symmetricEncrypt } from 'better-auth/crypto';
import { betterAuth } from 'better-auth/minimal';
import { twoFactor } from 'better-auth/plugins/two-factor';
import type { BetterAuthOptions, BetterAuthPlugin } from 'better-auth/types';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Config } from '../../platform/config/config.ts';
import { type Transaction, transaction } from '../../platform/database/transaction.ts';
import type { Logger } from '../../platform/logging/logger.ts';
import { CLIENT_ADDRESS, cookiePrefix, hashToken } from './flows/cookies.ts';
import { hashPassword, verifyPassword } from './flows/passwords.ts';
import { encodeRecoveryCodes, makeRecoveryCodes } from './flows/recovery-codes.ts';
import { providersOf } from './provider-settings.ts';
import type { accountsSettings } from './settings.ts';
import {
  credentials,
  passkeys,
  sessions,
  twoFactors,
  users,
  verificationExpired,
  verifications,
} from './table.ts';

export interface AuthOptions {
  readonly config: Config<typeof accountsSettings>;
  readonly db: NodePgDatabase;
  readonly log: Logger;
  readonly appName: string;
  /** Scheme, host and port that visitors use. */
  readonly origin: string;
  /** Whether an address must be verified before its account signs in. */
  readonly verifies: boolean;
  /** A session. @param byProvider Without a second factor. @throws APIError where the user may not. */
  mayBegin(userId: string, byProvider: boolean): Promise<void>;
  /** Of a provider: whether it may become an account, in the transaction that makes it. @throws APIError where it may not. */
  maySignUp(tx: Transaction, user: { email: string; emailVerified: boolean }): Promise<void>;
  /** The account of a provider's user was made, in this transaction. */
  signedUp(tx: Transaction, userId: string): Promise<void>;
}

/**
 * better-auth encrypts secrets of authenticator apps with `SESSION_SECRET`, so that they could not be read once it has been rotated.
 * The column encrypts them, with `ENCRYPTION_KEY`: what better-auth does besides is done with a key that is no secret. A plugin may
 * return another context.
 */
const plainSecrets: BetterAuthPlugin = {
  id: 'plain-secrets',
  init: () => ({ context: { secretConfig: 'encrypted by the column' } }),
};

/** @param extra More of better-auth's plugins: see passkeys.ts. */
export function createAuth<const Extra extends BetterAuthPlugin[]>(options: AuthOptions, extra: Extra) {
  const { config, db, log, origin, verifies } = options;
  const clients = providersOf(config.accounts);
  const secure = origin.startsWith('https:');
  return betterAuth({
    appName: options.appName,
    baseURL: origin,
    basePath: '/api/auth',
    trustedOrigins: [origin],
    // The first signs cookies, and cookies.ts signs those of the others anew. Secrets of authenticator apps are decrypted by each.
    secrets: config.sessionSecrets.map((value) => ({ version: versionOf(value), value })),
    database: adapterWith(db, options),
    emailAndPassword: {
      enabled: true,
      // sign-up.ts makes accounts, in one transaction.
      disableSignUp: true,
      requireEmailVerification: verifies,
      minPasswordLength: 1,
      maxPasswordLength: 200,
      password: {
        hash: hashPassword,
        verify: ({ hash, password }) => verifyPassword(password, hash),
      },
    },
    session: {
      expiresIn: config.accounts.sessionMaxAgeSeconds,
      // sessions/ judges age and idleness, at each request.
      disableSessionRefresh: true,
      freshAge: 0,
      cookieCache: { enabled: false },
    },
    verification: { storeIdentifier: 'hashed' },
    account: {
      updateAccountOnSignIn: false,
      // Both addresses must be verified: no provider is trusted by its name.
      accountLinking: { trustedProviders: [], requireLocalEmailVerified: true },
    },
    // providers.ts adds the one of OpenID Connect.
    socialProviders: Object.fromEntries(
      clients.flatMap(({ id, client }) => (client && id !== 'oidc' ? [[id, client]] : [])),
    ),
    databaseHooks: {
      session: {
        create: {
          before: async ({ userId }, context) => options.mayBegin(userId, context?.path === '/callback/:id'),
        },
      },
      verification: {
        create: {
          // No timer removes them, and each view of the sign-in screen begins a challenge that few answer.
          before: async () => {
            await db.delete(verifications).where(verificationExpired);
          },
        },
      },
      // Providers say who a person is; their tokens are of no further use, and so not kept.
      account: {
        create: {
          before: async () => ({ data: { accessToken: null, refreshToken: null, idToken: null } }),
        },
      },
    },
    plugins: [
      twoFactor({
        issuer: options.appName,
        backupCodeOptions: {
          customBackupCodesGenerate: makeRecoveryCodes,
          storeBackupCodes: {
            encrypt: async (json) => encodeRecoveryCodes(json),
            decrypt: async (json) => json,
          },
        },
      }),
      plainSecrets,
      ...extra,
    ],
    advanced: {
      cookiePrefix: cookiePrefix(secure),
      // It would name them __Secure-; ours are __Host-.
      useSecureCookies: false,
      defaultCookieAttributes: { secure, httpOnly: true, sameSite: 'lax', path: '/' },
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS], ipv6Subnet: 128 },
    },
    // rate-limit.ts limits.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    onAPIError: { errorURL: `${origin}/sign-in` },
    logger: {
      log(level, message, ...more) {
        const err = more.find((one) => one instanceof Error);
        log[level === 'error' ? 'warn' : 'debug']({ err }, `better-auth: ${message}`);
      },
    },
  });
}

export type Auth = ReturnType<typeof createAuth<[]>>;

/** What better-auth writes beside what a secret has encrypted: the same wherever the secret stands in the list. */
const versionOf = (secret: string): number => createHash('sha256').update(secret).digest().readUInt32BE();

/** Encrypts the secret of an authenticator app as better-auth reads it. */
export const seal = async ({ $context }: Pick<Auth, '$context'>, data: string): Promise<string> =>
  symmetricEncrypt({ key: (await $context).secretConfig, data });

/** What `mayBegin` and `maySignUp` throw. */
export const refusal = (code: string): Error => new APIError('FORBIDDEN', { code, message: code });

type AdapterFactory = ReturnType<typeof drizzleAdapter>;
type Adapter = ReturnType<AdapterFactory>;

/** How better-auth reads and writes our tables. */
function adapterOf(db: NodePgDatabase | Transaction, own: BetterAuthOptions): Adapter {
  const schema = {
    user: users,
    session: sessions,
    account: credentials,
    verification: verifications,
    twoFactor: twoFactors,
    passkey: passkeys,
  };
  return withHashedTokens(drizzleAdapter(db as NodePgDatabase, { provider: 'pg', schema })(own));
}

const QUERIES = [
  ...(['create', 'findOne', 'findMany', 'count', 'update', 'updateMany', 'delete', 'deleteMany'] as const),
  ...(['consumeOne', 'incrementOne'] as const),
];

type Row = Record<string, unknown>;
interface Query {
  model: string;
  where?: { field: string; value: unknown }[];
  data?: Row;
  update?: Row;
}

/**
 * Calls `maySignUp` and `signedUp` for a new user in the transaction that makes it: transactions are ours, so that these may use them.
 * A second connection would wait for those that all hold one.
 */
const adapterWith =
  (db: NodePgDatabase, { maySignUp, signedUp }: AuthOptions): AdapterFactory =>
  (own) => ({
    ...adapterOf(db, own),
    transaction: (act) =>
      transaction(db, (tx) => {
        const adapter = adapterOf(tx, own);
        const within: Adapter = {
          ...adapter,
          transaction: (further) => further(within),
          async create(query) {
            if (query.model === 'user') await maySignUp(tx, query.data as never);
            const row: Row = await adapter.create(query);
            if (query.model === 'user') await signedUp(tx, row.id as string);
            return row as never;
          },
        };
        return act(within);
      }),
  });

/** The database holds hashes of sessions' tokens; better-auth sees none but tokens. */
function withHashedTokens(adapter: Adapter): Adapter {
  const wrap =
    <Args extends Query, Result>(call: (query: Args) => Promise<Result>) =>
    async (query: Args): Promise<Result> => {
      if (query.model !== 'session') return call(query);
      const tokens = new Map<string, string>();
      const hashed = (token: unknown): unknown => {
        if (Array.isArray(token)) return token.map(hashed);
        if (typeof token !== 'string') return token;
        tokens.set(hashToken(token), token);
        return hashToken(token);
      };
      const inRow = (row: Row | undefined) =>
        row && 'token' in row ? { ...row, token: hashed(row.token) } : row;
      const where = query.where?.map((one) =>
        one.field === 'token' ? { ...one, value: hashed(one.value) } : one,
      );
      const { data, update } = query;
      const result = await call({
        ...query,
        ...(where && { where }),
        ...(data && { data: inRow(data) }),
        ...(update && { update: inRow(update) }),
      });
      for (const row of [result].flat() as (Row | null)[]) {
        if (typeof row?.token === 'string') row.token = tokens.get(row.token) ?? row.token;
      }
      return result;
    };
  return {
    ...adapter,
    ...Object.fromEntries(QUERIES.map((name) => [name, wrap(adapter[name] as never)])),
  } as Adapter;
}
