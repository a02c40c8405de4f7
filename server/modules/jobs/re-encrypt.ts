import { Type } from 'typebox';
import { encryptedColumns } from '../../platform/database/encryption/encrypted-text.ts';
import { reEncrypt } from '../../platform/database/encryption/re-encrypt.ts';
import { type Command, PermanentJobError } from '../../platform/parts.ts';
import type { JobService } from './jobs.ts';

/** An attempt goes on where the one before has ended. */
const ATTEMPT_MS = 3_600_000;

/**
 * Defines the job that writes encrypted columns with the first key, where there are any.
 *
 * @returns The command that enqueues it.
 */
export function defineReEncryption(service: JobService): Record<string, Command> {
  if (encryptedColumns.size === 0) return {};
  const { db, database } = service.platform;
  const job = service.define({
    name: 're-encrypt',
    input: Type.Object({}),
    unique: true,
    timeoutMs: ATTEMPT_MS,
    async run({ signal, progress }) {
      const { left, unreadable } = await reEncrypt(db, { signal, progress });
      if (unreadable.length > 0) throw new PermanentJobError(unreadable.join(' '));
      if (left > 0) throw new Error(`${left} values were in use, and hold another key still.`);
    },
  });
  return {
    're-encrypt': {
      help: 'enqueues the job that writes encrypted columns with the first key of ENCRYPTION_KEY',
      async run() {
        const id = await database.transaction((tx) => service.enqueue(tx, job, {}));
        console.log(id === undefined ? 're-encrypt is queued or runs already.' : `enqueued re-encrypt ${id}`);
        return 0;
      },
    },
  };
}
