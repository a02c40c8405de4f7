import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrateOptions } from '../database/migrations/migrator.ts';
import { migrationStatus } from '../database/migrations/status.ts';
import type { Database } from '../database/pool/pool.ts';
import { findUnavailable } from '../database/pool/unavailable.ts';
import { type Check, CheckFailure } from '../health/health-checks.ts';
import type { Lifecycle } from '../health/lifecycle.ts';

const CHECK_FAILED = 'it cannot be reached';
const UNREACHABLE = 'The database cannot be reached. Trying again.';
/**
 * The longest pause between two attempts, in milliseconds. An attempt on a network that drops packets takes 3 s, and a
 * database that returns is to be seen within 5.
 */
const MAX_PAUSE_MS = 1_500;

/**
 * Whether the database answers. `/ready` requires it.
 *
 * @param onAnswer Called when a probe was answered.
 */
export function databaseCheck(database: Database, timeoutMs: number, onAnswer: () => void): Check {
  return {
    name: 'database',
    required: true,
    timeoutMs,
    async known() {
      const verdict = await database.verdict();
      return verdict === 'away' ? new CheckFailure(CHECK_FAILED) : verdict && 'passing';
    },
    async run(abort) {
      await database.probe(abort).catch((cause) => {
        throw new CheckFailure(CHECK_FAILED, { cause });
      });
      onAnswer();
      return undefined;
    },
  };
}

/** Tries until the database answers. @throws The reason of `signal`. */
export async function connect(database: Database, lifecycle: Lifecycle, signal: AbortSignal): Promise<void> {
  for (let pause = 50; ; pause = Math.min(pause * 1.5, MAX_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      await database.probe(signal);
      lifecycle.problem = undefined;
      return;
    } catch {
      signal.throwIfAborted();
      lifecycle.problem = UNREACHABLE;
    }
    // Jittered, so that replicas that lost the database together do not return to it together.
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal });
  }
}

/** Asks until the database answers. @throws What `ask` throws besides, or the reason of `signal`. */
export async function untilAnswered(
  ask: () => Promise<void>,
  ...where: Parameters<typeof connect>
): Promise<void> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!findUnavailable(error)) throw error;
      await connect(...where);
    }
  }
}

/**
 * With `MIGRATE_ON_START=false` another process migrates: whenever a client asks for readiness, looks whether it has.
 *
 * @returns A note for `/api/status`.
 */
export async function waitForMigrations(
  options: MigrateOptions & { signal: AbortSignal },
  lifecycle: Lifecycle,
): Promise<string> {
  const { log, signal } = options;
  let logged = false;
  for (;;) {
    const status = await migrationStatus(options).catch((error) => {
      if (findUnavailable(error)) return undefined;
      throw error;
    });
    if (status === undefined) lifecycle.problem = UNREACHABLE;
    else {
      const { entries, problem } = status;
      if (problem) throw problem;
      const count = (state: string) => entries.filter((entry) => entry.state === state).length;
      const pending = count('pending');
      const applied = entries.length - pending - count('unwritten');
      lifecycle.migrations = { applied, pending };
      if (pending === 0) return `${applied} in place`;
      lifecycle.problem = `Migrations pending: ${pending}. Run \`npm run db:migrate\`, or in a container \`node dist/server/main.js migrate\`.`;
      if (!logged) log.warn({ pending }, `MIGRATE_ON_START is false. ${lifecycle.problem}`);
      logged = true;
    }
    await lifecycle.nextQuestion(signal);
  }
}
