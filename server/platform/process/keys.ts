import { constants, setPriority } from 'node:os';
import { encryptedColumns } from '../database/encryption/encrypted-text.ts';
import { keyring } from '../database/encryption/keyring.ts';
import { keysInUse } from '../database/encryption/keys-in-use.ts';
import { type Holding, holdings, reEncrypt } from '../database/encryption/re-encrypt.ts';
import type { Command, Platform } from '../parts.ts';
import { EXIT } from './exit-codes.ts';

/** Progress is printed this often, in milliseconds. */
const PRINT_MS = 1_000;

/** `main.js keys`: what each key of `ENCRYPTION_KEY` still holds, and re-encryption in the foreground. */
export const keysCommand = ({ db }: Platform): Command => ({
  help: '[re-encrypt]: counts the values that each key of ENCRYPTION_KEY has encrypted; or writes all with the first key',
  async run([action, ...more], signal) {
    if (more.length > 0 || (action !== undefined && action !== 're-encrypt')) {
      console.error('Usage: main.js keys [re-encrypt]');
      return EXIT.failed;
    }
    if (action === undefined) return show(db);
    // A server beside it goes first.
    setPriority(constants.priority.PRIORITY_LOW);
    let printed = performance.now();
    const { written, left, unreadable } = await reEncrypt(db, {
      signal,
      progress(done, total) {
        if (performance.now() - printed < PRINT_MS) return;
        printed = performance.now();
        console.log(`${done} of ${total}`);
      },
    });
    console.log(`${written} values are written with the key ${keyring.ids[0]}.`);
    for (const problem of unreadable) console.error(problem);
    if (left > 0)
      console.error(
        `${left} values hold another key still. Values that were in use are written by a second run.`,
      );
    return left > 0 ? EXIT.failed : EXIT.clean;
  },
});

/** @returns An exit code: 1 where a key is missing. */
async function show(db: Platform['db']): Promise<number> {
  const { ids } = keyring;
  const [held, inUse] = [await holdings(db), await keysInUse(db)];
  const known = new Set([...ids, ...inUse, ...held.flatMap(({ key }) => key ?? [])]);
  console.log(`Encrypted columns: ${encryptedColumns.size}`);
  for (const id of known) {
    const role = id === ids[0] ? 'writes' : ids.includes(id) ? 'reads' : 'is MISSING from ENCRYPTION_KEY';
    print(
      `key ${id} ${role}`,
      held.filter(({ key }) => key === id),
    );
  }
  const plain = held.filter(({ key }) => key === null);
  if (plain.length > 0) print('in plain text', plain);
  return known.size > ids.length ? EXIT.failed : EXIT.clean;
}

function print(title: string, held: readonly Holding[]): void {
  console.log(`${title}${held.length === 0 ? ', and holds nothing' : ''}`);
  for (const { name, rows } of held) console.log(`  ${name}: ${rows}`);
}
