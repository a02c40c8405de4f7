import { Type } from 'typebox';
import { encryptedColumns } from '../../platform/database/encryption/encrypted-text.ts';
import { reEncrypt } from '../../platform/database/encryption/re-encrypt.ts';
import { PermanentJobError } from '../../platform/jobs.ts';
import type { Command } from '../../platform/parts.ts';
import type { JobService } from './jobs.ts';

/** An attempt goes on where the one before has ended. */
const ATTEMPT_MS = 3_600_000;

/**
 * Defines the job that writes encrypted columns with the first key, where there are any and a key is being replaced: a process
 * that defines no job runs nothing for jobs.
 *
 * @returns The command that enqueues it.
 */
export function defineReEncryption(service: JobService): Record<string, Command> {
  const { db, database, config } = service.platform;
  if (encryptedColumns.size === 0 || config.encryptionKeys.length < 2) return {};
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
