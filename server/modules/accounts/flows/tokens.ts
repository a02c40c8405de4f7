import { randomBytes } from 'node:crypto';
import { and, gt, inArray, sql } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import type { Transaction } from '../../../platform/database/transaction.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { MailTemplate } from '../../../platform/mailer.ts';
import type { WithLink } from '../people.ts';
import type { AccountService } from '../service.ts';
import { verificationExpired, verifications } from '../table.ts';
import { hashToken } from './cookies.ts';

/** What the link of a mail is for: its token opens nothing else. */
export type Purpose = 'verify' | 'reset' | 'change-email';

const HOURS: Record<Purpose, number> = { verify: 24, reset: 1, 'change-email': 24 };

export interface TokenValue {
  readonly userId: string;
  /** The address that the link proves. */
  readonly email: string;
}

const identifier = (purpose: Purpose, token: string) => `${purpose}:${hashToken(token)}`;

/**
 * Makes a token that is used once. An earlier one of the same purpose and person ends.
 *
 * @returns 256 random bits, of which only a hash is kept.
 */
async function makeToken(tx: Transaction, purpose: Purpose, { userId, email }: TokenValue): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const row = {
    identifier: identifier(purpose, token),
    value: `${userId} ${email}`,
    expiresAt: new Date(Date.now() + HOURS[purpose] * 3_600_000),
  };
  await tx.delete(verifications).where(verificationExpired);
  await tx
    .insert(verifications)
    .values({ id: `${purpose}:${userId}`, ...row })
    .onConflictDoUpdate({ target: verifications.id, set: row });
  return token;
}

/**
 * Uses a token up, in the transaction that does what it is for.
 *
 * @param purposes Those that it may have.
 * @throws ProblemError `bad-request` for one that was used, is too old, or never was.
 */
export async function useToken(
  tx: Transaction,
  purposes: readonly Purpose[],
  token: string,
): Promise<TokenValue & { purpose: Purpose }> {
  const identifiers = purposes.map((purpose) => identifier(purpose, token));
  const [row] = await tx
    .delete(verifications)
    .where(and(inArray(verifications.identifier, identifiers), gt(verifications.expiresAt, sql`now()`)))
    .returning();
  const purpose = purposes.find((one) => row?.identifier.startsWith(`${one}:`));
  const [userId, email] = row?.value.split(' ') ?? [];
  if (purpose && userId && email) return { purpose, userId, email };
  throw new ProblemError('bad-request', 'This link was used, or is too old. Ask for a new one.');
}

/** The screens that links of mails open. The token stands behind `#`, which no server and no scanner of mails is sent. */
const SCREENS: Record<Purpose, string> = { verify: 'verify', reset: 'reset', 'change-email': 'verify' };

/**
 * Mails a link that is used once, to the address that it proves.
 *
 * Where the mailer sends none, as the address has had several within the hour, an earlier link stays valid: others cannot end it by asking
 * for more.
 */
export async function mailLink(
  service: AccountService,
  tx: Transaction,
  purpose: Purpose,
  template: MailTemplate<WithLink>,
  user: { id: string; name: string; email: string },
  request: FastifyRequest,
): Promise<void> {
  const { id: userId, email } = user;
  await tx
    .transaction(async (savepoint) => {
      const token = await makeToken(savepoint, purpose, { userId, email });
      const url = `${service.origin}/${SCREENS[purpose]}#token=${token}`;
      if (!(await service.send(savepoint, template, email, { ...service.to(user), url }, request)))
        throw NOT_SENT;
    })
    .catch((error) => {
      if (error !== NOT_SENT) throw error;
    });
}

const NOT_SENT = new Error('not sent');

/** Ends the links that were mailed to change how a person signs in: a thief may have asked for one. */
export async function endTokens(
  tx: Transaction,
  userId: string,
  purposes = Object.keys(HOURS) as Purpose[],
): Promise<void> {
  const ids = purposes.map((purpose) => `${purpose}:${userId}`);
  await tx.delete(verifications).where(inArray(verifications.id, ids));
}
