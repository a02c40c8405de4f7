import { randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import type { Transaction } from '../../../platform/database/transaction.ts';
import { invalid, ProblemError } from '../../../platform/lib/problem.ts';
import type { AccountService } from '../service.ts';
import { apiKeys, credentials, invitations, passkeys, twoFactors, users } from '../table.ts';
import { hashToken } from './cookies.ts';
import { assertNewPassword, hashPassword } from './passwords.ts';
import { endSessions } from './sessions.ts';
import { endTokens, mailLink } from './tokens.ts';

export interface SignUp {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly profile?: Record<string, unknown>;
  readonly invitation?: string;
}

/**
 * Makes an account, or tells the owner of the address by mail that there is one. What it answers, and the work that it does
 * before that, are the same.
 *
 * @returns Whether the address is proved: by an invitation that was mailed to it, or because no mail can prove it.
 * @throws ProblemError `forbidden` without an invitation where one is needed; `validation`, also for another address than the invited one.
 */
export async function signUp(
  service: AccountService,
  request: FastifyRequest,
  body: SignUp,
): Promise<boolean> {
  const { options } = service;
  const { mails } = options.people;
  const email = body.email.toLowerCase();
  const name = body.name.trim();
  const invitation =
    body.invitation && (await service.openInvitation(eq(invitations.hash, hashToken(body.invitation))));
  if (body.invitation && !invitation)
    throw new ProblemError('bad-request', 'This invitation was used, or is too old. Ask for a new one.');
  if (service.signUp === 'invitation' && !invitation)
    throw new ProblemError('forbidden', 'New accounts need an invitation here.');
  // A mistyped address neither uses it up nor gets its roles. The link of a development server's start is sent to nobody.
  if (invitation && invitation.email !== '' && invitation.email !== email)
    throw invalid('body/email', 'Use the address that the invitation was sent to.');
  assertNewPassword(body.password, [name, email]);
  const profile = await service.checkedProfile(body.profile ?? {});
  const password = await hashPassword(body.password);
  const proved =
    !service.verifies || (invitation !== undefined && invitation !== '' && invitation.email === email);

  await options.database.transaction(async (tx) => {
    const [made] = await tx
      .insert(users)
      .values({ id: randomUUID(), name, email, emailVerified: proved && service.verifies, profile })
      .onConflictDoNothing({ target: users.email })
      .returning();
    if (made) {
      await setPassword(tx, made.id, password);
      await service.welcome(tx, made, invitation || undefined);
      if (!proved) await mailLink(service, tx, 'verify', mails.verify, made, request);
      return;
    }
    const [known] = await tx.select().from(users).where(eq(users.email, email)).for('update');
    if (known === undefined) return;
    if (known.emailVerified || !service.verifies) {
      const url = `${service.origin}/reset`;
      await service.send(tx, mails.accountExists, email, { ...service.to(known), url }, request);
      return;
    }
    // Nobody has proved the address yet, and any of those who signed up with it may be its owner. So all that they have set ends, and
    // who opens the mail sets the password.
    await endWaysIn(service, tx, known.id);
    await endTokens(tx, known.id, ['verify']);
    if (!proved) return mailLink(service, tx, 'reset', mails.reset, known, request);
    await tx.update(users).set({ name, profile, emailVerified: true }).where(eq(users.id, known.id));
    await setPassword(tx, known.id, password);
    if (invitation) await service.accept(tx, known.id, invitation);
  });
  return proved;
}

/**
 * Ends all that signs in to an account whose address nobody had proved: it may have been made by another than the one who does.
 * There is more than a password where no mail was sent when it was made.
 */
export async function endWaysIn(service: AccountService, tx: Transaction, userId: string): Promise<void> {
  await tx.delete(credentials).where(eq(credentials.userId, userId));
  await tx.delete(passkeys).where(eq(passkeys.userId, userId));
  await tx.delete(twoFactors).where(eq(twoFactors.userId, userId));
  await tx.delete(apiKeys).where(eq(apiKeys.userId, userId));
  await tx.update(users).set({ twoFactorEnabled: false }).where(eq(users.id, userId));
  await endSessions(service, tx, userId);
}

/** Ends the links that were mailed before, too. @param hash As `hashPassword` makes it. */
export async function setPassword(tx: Transaction, userId: string, hash: string): Promise<void> {
  await endTokens(tx, userId);
  const changed = await tx
    .update(credentials)
    .set({ password: hash, updatedAt: new Date() })
    .where(passwordOf(userId))
    .returning({ id: credentials.id });
  if (changed.length > 0) return;
  await tx
    .insert(credentials)
    .values({ id: randomUUID(), userId, providerId: 'credential', accountId: userId, password: hash });
}

/** The row of a user's password, as better-auth finds it. */
export const passwordOf = (userId: string) =>
  and(
    eq(credentials.userId, userId),
    eq(credentials.providerId, 'credential'),
    eq(credentials.accountId, userId),
  );
