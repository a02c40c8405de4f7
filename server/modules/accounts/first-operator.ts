import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq, sql } from 'drizzle-orm';
import { setUp } from '#contracts/accounts/sign-in.ts';
import { transaction } from '../../platform/database/transaction.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Command } from '../../platform/parts.ts';
import { makeInvitation } from './admin/invitations.ts';
import { assertNewPassword, hashPassword } from './flows/passwords.ts';
import { endSessions, newSession, sendSession } from './flows/sessions.ts';
import { setPassword } from './flows/sign-up.ts';
import { OPERATOR } from './roles.ts';
import type { AccountService } from './service.ts';
import { hasRole, users } from './table.ts';

/** In milliseconds: a person who starts a server opens its page soon. */
const START_LINK_MS = 15 * 60_000;

/** How the first operator comes about: by a link at the start of a development server, by a command, or with a key. */
export class FirstOperator {
  readonly #service: AccountService;
  /** There is one. It stays so: the last one is not dismissed. */
  #exists = false;

  constructor(service: AccountService) {
    this.#service = service;
  }

  /** Whether there is no operator. */
  async #isMissing(): Promise<boolean> {
    if (this.#exists) return false;
    const rows = await this.#service.options.db
      .select({ id: users.id })
      .from(users)
      .where(hasRole(OPERATOR))
      .limit(1);
    this.#exists = rows.length > 0;
    return !this.#exists;
  }

  /** Whether `/setup` is open: there is no operator, and a key may make the first. */
  async canSetUp(): Promise<boolean> {
    return this.#service.options.config.internalApiKeys.length > 0 && (await this.#isMissing());
  }

  /** For the terminal of a development server. @returns Undefined where there is an operator. */
  async startLink(): Promise<{ label: string; path: string } | undefined> {
    if (this.#service.closed || !(await this.#isMissing())) return undefined;
    const invitation = { email: '', roles: [OPERATOR], lifeMs: START_LINK_MS };
    const { path } = await transaction(this.#service.options.db, (tx) => makeInvitation(tx, invitation));
    return { label: 'your account', path };
  }

  /** For the log of a development server that shows no link. @returns Undefined where there is an operator. */
  async startHint(): Promise<string | undefined> {
    if (this.#service.closed || !(await this.#isMissing())) return undefined;
    return 'there is no operator yet: npm run admin -- create EMAIL prints a link that makes one';
  }

  /** `main.js admin create EMAIL` */
  readonly command: Command = {
    help: 'create EMAIL: prints a link that makes an operator',
    run: async ([act, given = '']) => {
      const email = given.toLowerCase();
      if (act !== 'create' || !/^[^\s@]+@[^\s@]+$/.test(email)) {
        console.error('Usage: main.js admin create EMAIL');
        return 64;
      }
      const { db, config } = this.#service.options;
      const origin = config.publicUrl ?? `http://localhost:${config.listen.port}`;
      let changed: string | undefined;
      const code = await transaction(db, async (tx) => {
        const [known] = await tx.select().from(users).where(eq(users.email, email)).for('update');
        if (known === undefined) {
          const { path, row } = await makeInvitation(tx, { email, roles: [OPERATOR] });
          console.log(`${origin}${path}\nOpen it once, until ${row.expiresAt.toISOString()}.`);
          return 0;
        }
        if (!known.emailVerified && this.#service.verifies) {
          console.error('There is an account with this address, which is not verified. Verify it first.');
          return 1;
        }
        const roles = [...new Set([...known.roles, OPERATOR])];
        await tx.update(users).set({ roles }).where(eq(users.id, known.id));
        // Tokens of before must not become an operator's.
        await endSessions(this.#service, tx, known.id);
        changed = known.id;
        return 0;
      });
      if (changed !== undefined) {
        await this.#service.tellSessionsChanged(changed);
        console.log(`${email} is an operator now. Sign in at ${origin}/sign-in.`);
      }
      return code;
    },
  };
}

/** `/setup`: makes the first operator with a key of `INTERNAL_API_KEY`, where there is no shell. */
export const setUpRoutes: FastifyPluginAsyncTypebox<{ service: AccountService }> = async (
  app,
  { service },
) => {
  const { database, config } = service.options;
  app.route({
    ...setUp,
    config: { access: 'public', limit: 'operator-sign-in', cors: false },
    async handler(request, reply) {
      const { operators } = app;
      const closed = service.closed ?? operators.closed(request);
      if (closed) throw closed;
      const { key, password } = request.body;
      if (!operators.isKey(key)) {
        throw new ProblemError('unauthorized', 'This key is not one of those in INTERNAL_API_KEY.', {
          headers: { 'www-authenticate': 'Bearer realm="operators"' },
        });
      }
      const name = request.body.name.trim();
      const email = request.body.email.toLowerCase();
      assertNewPassword(password, [name, email]);
      const hash = await hashPassword(password);
      const expiresAt = new Date(Date.now() + config.accounts.sessionMaxAgeSeconds * 1_000);
      const token = await database.transaction(async (tx) => {
        // One at a time.
        await tx.execute(sql`select pg_advisory_xact_lock(hashtext('accounts_set_up'))`);
        const [other] = await tx.select({ id: users.id }).from(users).where(hasRole(OPERATOR)).limit(1);
        if (other) throw new ProblemError('conflict', 'There is an operator already: ask for an invitation.');
        const [user] = await tx
          .insert(users)
          .values({ id: randomUUID(), name, email, emailVerified: true, roles: [OPERATOR] })
          .onConflictDoNothing({ target: users.email })
          .returning();
        if (user === undefined) {
          const detail =
            'There is an account with this address. Use another one, or run: main.js admin create EMAIL';
          throw new ProblemError('conflict', detail);
        }
        await setPassword(tx, user.id, hash);
        await service.welcome(tx, user, undefined);
        return newSession(tx, request, { userId: user.id, expiresAt });
      });
      sendSession(service, request, reply, token, { expiresAt });
      request.log.info({ ip: request.ip }, 'the first operator was made');
      return { next: 'done' as const };
    },
  });
};
