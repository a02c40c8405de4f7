import type { MigrationError } from './errors.ts';
import type { Migration } from './files.ts';
import type { History } from './history.ts';
import type { Session } from './session.ts';
import type { Statement } from './statements.ts';

/** What becomes of statements that may have changed the rows already. */
export type AdoptChoice = 'record' | 'run';

/** A migration whose tables are there. */
export interface Adopted {
  migration: Migration;
  /** What is to run all the same: what changes rows, and what is not compared. `try`: it may find that its work is done. */
  statements: (Statement & { treatment: 'run' | 'try' })[];
}

export interface Adoption {
  /** The first of the pending migrations; usually none. */
  adopted: Adopted[];
  /** What an operator has said. */
  choice?: AdoptChoice | undefined;
  /** Why nothing could be compared. */
  unknown?: string;
  /** What an operator has to decide before anything is done. */
  undecided?: { problem: MigrationError; migrations: ReadonlySet<string> };
}

/**
 * Finds out which of the pending migrations the database holds already, where something else has changed its tables. It changes
 * nothing.
 *
 * @param session Holds the migrations' lock, unless the answer is only to be shown.
 * @param choice What an operator has said on the command line.
 * @throws MigrationError `schema` where the tables are neither as the journal says nor as a later migration makes them.
 */
export type FindAdoption = (
  session: Session,
  history: Pick<History, 'applied' | 'pending' | 'ahead'>,
  choice?: AdoptChoice,
) => Promise<Adoption>;
