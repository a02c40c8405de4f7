import { and, eq, gt, isNull, lt, or, sql } from 'drizzle-orm';
import type { FastifyInstance, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { keyring } from '../../platform/database/encryption/keyring.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import { inWords } from '../../platform/http/problems.ts';
import { invalid, ProblemError, unavailable } from '../../platform/lib/problem.ts';
import { isStorable } from '../../platform/lib/storable.ts';
import { within } from '../../platform/lib/within.ts';
import type { Mailer, MailTemplate } from '../../platform/mailer.ts';
import type { Platform } from '../../platform/parts.ts';
import type { Auth, AuthOptions } from './auth.ts';
import { AccountFigures } from './figures.ts';
import { unauthorized } from './flows/call-auth.ts';
import type { PasskeyAuth } from './passkeys.ts';
import type { People, ToPerson } from './people.ts';
import { providersOf } from './provider-settings.ts';
import type { UserChanges } from './sessions/changes.ts';
import type { accountsSettings } from './settings.ts';
import { invitations, sessions, users } from './table.ts';

export interface AccountOptions extends Platform<typeof accountsSettings> {
  /** Without it no mail is sent, so that nobody proves an address. */
  readonly mail?: Mailer;
  readonly people: People;
}

/** How long a provider may take to tell its addresses, in milliseconds. */
const OIDC_MS = 5_000;

/** A session as its row has it. */
export type SessionRow = typeof sessions.$inferSelect;

/** What the flows share: better-auth, loaded on the first use; mails; and the end of sessions. */
export class AccountService {
  readonly options: AccountOptions;
  readonly figures = new AccountFigures();
  readonly #changes: UserChanges;
  #app: FastifyInstance | undefined;
  #auth: Promise<Auth> | undefined;
  #passkeyAuth: Promise<PasskeyAuth> | undefined;
  #oidcAuth: Promise<Auth | undefined> | undefined;
  #checkProfile: ((profile: unknown) => FastifySchemaValidationError | undefined) | undefined;

  constructor(options: AccountOptions, changes: UserChanges) {
    this.options = options;
    this.#changes = changes;
  }

  /** Tells every process, once this transaction is committed, to read the user and their sessions again. */
  sessionsChanged(tx: Transaction, userId: string): void {
    this.#changes.changedIn(tx, userId);
  }

  /** As `sessionsChanged`, after the commit: for a command, which ends once it has been told. */
  tellSessionsChanged(userId: string): Promise<void> {
    return this.#changes.changed(userId);
  }

  /** @param app Knows the port, once it is open. */
  use(app: FastifyInstance): void {
    this.#app = app;
  }

  get secrets(): readonly string[] {
    return this.options.config.sessionSecrets;
  }

  /** The address that visitors use, never what a request calls itself. */
  get origin(): string {
    const { publicUrl, environment } = this.options.config;
    if (publicUrl !== undefined || environment === 'production') return publicUrl ?? '';
    const address = this.#app?.server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    return `http://localhost${port === undefined ? '' : `:${port}`}`;
  }

  get secure(): boolean {
    return this.origin.startsWith('https:');
  }

  /** Whether an address is proved by a mail before its account signs in. In development mails are read at `/dev/mail`. */
  get verifies(): boolean {
    const { mail, config } = this.options;
    return mail !== undefined && (mail.delivers || config.environment !== 'production');
  }

  get signUp(): 'open' | 'invitation' {
    const { accounts, environment } = this.options.config;
    const open = this.verifies || environment !== 'production';
    return accounts.signUp ?? (open ? 'open' : 'invitation');
  }

  /** Providers that are set, and what stands on their buttons. */
  get providers(): { id: string; name: string }[] {
    return providersOf(this.options.config.accounts).flatMap(({ id, name, client }) =>
      client ? [{ id, name }] : [],
    );
  }

  /** Secrets of authenticator apps are kept encrypted, or not at all. */
  get twoFactor(): boolean {
    return keyring.enabled;
  }

  /** Browsers make passkeys over TLS, and on this machine. */
  get passkeys(): boolean {
    return this.closed === undefined && (this.secure || /^http:\/\/localhost(:|$)/.test(this.origin));
  }

  /** Why nobody can sign in, and what to set. */
  get closed(): ProblemError | undefined {
    const missing = [
      ...(this.secrets.length > 0 ? [] : ['SESSION_SECRET']),
      ...(this.origin === '' ? ['PUBLIC_URL'] : []),
    ];
    if (missing.length === 0) return undefined;
    return new ProblemError('unavailable', `Set ${missing.join(' and ')}, then restart the server.`);
  }

  /** @throws ProblemError 503 where accounts are not configured. */
  async auth(): Promise<Auth> {
    if (this.closed) throw this.closed;
    this.#auth ??= import('./auth.ts').then(({ createAuth, refusal }) =>
      createAuth(this.#authOptions(refusal), []),
    );
    return this.#auth;
  }

  /** @throws ProblemError 503 where accounts are not configured. */
  async passkeyAuth(): Promise<PasskeyAuth> {
    if (this.closed) throw this.closed;
    this.#passkeyAuth ??= import('./passkeys.ts').then(({ createPasskeyAuth, refusal }) =>
      createPasskeyAuth(this.#authOptions(refusal)),
    );
    return this.#passkeyAuth;
  }

  /** @throws ProblemError 503 where accounts are not configured, or the provider does not answer. */
  async oidcAuth(): Promise<Auth> {
    if (this.closed) throw this.closed;
    this.#oidcAuth ??= import('./providers.ts').then(({ createOidcAuth, refusal }) =>
      createOidcAuth(this.#authOptions(refusal)),
    );
    const silent = () => unavailable('The provider does not answer. Try again in a moment.');
    const auth = await within(this.#oidcAuth, OIDC_MS, silent).catch((error) => {
      this.#oidcAuth = undefined;
      throw error;
    });
    if (auth !== undefined) return auth;
    this.#oidcAuth = undefined;
    throw silent();
  }

  #authOptions(refusal: (code: string) => Error): AuthOptions {
    const { config, db, log, about } = this.options;
    return {
      config,
      db,
      log,
      appName: about.name,
      origin: this.origin,
      verifies: this.verifies,
      mayBegin: async (userId, byProvider) => {
        const [user] = await db.select().from(users).where(eq(users.id, userId));
        if (user?.bannedAt && (user.bannedUntil === null || user.bannedUntil > new Date()))
          throw refusal('BANNED');
        await this.#removeEnded(userId);
        // A provider says nothing of a second factor.
        if (byProvider && user?.twoFactorEnabled) throw refusal('TWO_FACTOR_NEEDED');
      },
      maySignUp: async (tx, { email, emailVerified }) => {
        if (!emailVerified) throw refusal('EMAIL_NOT_VERIFIED');
        if (this.signUp === 'open') return;
        if ((await this.openInvitation(eq(invitations.email, email.toLowerCase()), tx)) === undefined)
          throw refusal('SIGN_UP_CLOSED');
      },
      signedUp: async (tx, userId) => {
        const user = await this.user(userId, tx);
        await this.welcome(tx, user, await this.openInvitation(eq(invitations.email, user.email), tx));
      },
    };
  }

  /** A user's sessions that have ended: no timer removes them, and a sign-in adds another. */
  async #removeEnded(userId: string): Promise<void> {
    const { db, config } = this.options;
    const idle = sql`now() - make_interval(secs => ${config.accounts.sessionIdleSeconds})`;
    await db
      .delete(sessions)
      .where(
        and(
          eq(sessions.userId, userId),
          or(lt(sessions.expiresAt, sql`now()`), lt(sessions.updatedAt, idle)),
        ),
      );
  }

  async openInvitation(which: ReturnType<typeof eq>, db: Pick<Transaction, 'select'> = this.options.db) {
    const open = and(which, isNull(invitations.acceptedAt), gt(invitations.expiresAt, sql`now()`));
    const [invitation] = await db.select().from(invitations).where(open).limit(1);
    return invitation;
  }

  /** What follows an account's making, in its transaction: an invitation is accepted, and `onSignUp` is called. */
  async welcome(
    tx: Transaction,
    user: typeof users.$inferSelect,
    invitation: typeof invitations.$inferSelect | undefined,
  ): Promise<void> {
    if (invitation) await this.accept(tx, user.id, invitation);
    tx.afterCommit(() => this.figures.signedUp());
    const { id, name, email, profile } = user;
    await this.options.people.onSignUp?.(tx, { id, name, email, profile });
  }

  /** Uses an invitation up, and grants its roles. */
  async accept(tx: Transaction, userId: string, invitation: typeof invitations.$inferSelect): Promise<void> {
    const accepted = await tx
      .update(invitations)
      .set({ acceptedAt: sql`now()` })
      .where(and(eq(invitations.id, invitation.id), isNull(invitations.acceptedAt)))
      .returning({ id: invitations.id });
    if (accepted.length === 0) throw new ProblemError('bad-request', 'This invitation was used.');
    await tx.update(users).set({ roles: invitation.roles }).where(eq(users.id, userId));
  }

  /**
   * @param id Of a session.
   * @param lock `update`: until the transaction ends, for who changes what it has read.
   * @throws ProblemError `unauthorized` where the user has gone since.
   */
  async user(
    id: string | undefined,
    db: Pick<Transaction, 'select'> = this.options.db,
    lock?: 'update',
  ): Promise<typeof users.$inferSelect> {
    const found = db
      .select()
      .from(users)
      .where(eq(users.id, id ?? ''));
    const [user] = await (lock ? found.for(lock) : found);
    if (user === undefined) throw unauthorized('Sign in first.');
    return user;
  }

  /** @returns The adopter's fields. @throws ProblemError `validation` where they do not fit the adopter's schema. */
  async checkedProfile(profile: Record<string, unknown>): Promise<Record<string, unknown>> {
    if (!isStorable(JSON.stringify(profile)))
      throw invalid('body/profile', 'A text has a character that cannot be stored.');
    if (this.#checkProfile === undefined) {
      const { compileFault } = await import('../../platform/http/schemas.ts');
      const schema = { ...this.options.people.profile, additionalProperties: false };
      this.#checkProfile = compileFault(schema, 'profile');
    }
    const fault = this.#checkProfile(profile);
    if (fault === undefined) return profile;
    const { missingProperty } = fault.params;
    const place = missingProperty === undefined ? fault.instancePath : `/${missingProperty}`;
    throw invalid(`body/profile${place}`, missingProperty === undefined ? inWords(fault) : 'is empty');
  }

  /** What every mail to a user knows. The person who signs up chooses the name: one with an address in it is not sent on. */
  to({ name }: { name: string }): ToPerson {
    const advertises = /[/:@]|www\.|\.[a-z]{2,}/i.test(name);
    return { name: advertises ? 'there' : name, appUrl: this.origin };
  }

  /** Writes a mail in the caller's transaction. @returns Whether it will be sent. */
  async send<Data>(
    tx: Transaction,
    template: MailTemplate<Data>,
    to: string,
    data: Data,
    request?: FastifyRequest,
  ): Promise<boolean> {
    const sent = await this.options.mail?.send(tx, template, to, data, request && { actor: request });
    return sent === true;
  }
}
