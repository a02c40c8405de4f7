/**
 * YOURS. What happens when a person signs up, in the transaction that makes the account: rows, mails, jobs and events of your
 * own. Where it throws there is no account. docs/recipes.md has an example.
 */
import type { Transaction } from '../../platform/database/transaction.ts';

export async function onSignUp(
  _tx: Transaction,
  _user: { id: string; name: string; email: string; profile: Readonly<Record<string, unknown>> },
): Promise<void> {}
