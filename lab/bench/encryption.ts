/** What requests cost while 100,000 rows are written with another key: by the job in the server itself, and by a process apart. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { Keyring, keyIdOf } from '../../server/platform/database/encryption/keyring.ts';
import { LETTERS } from '../../tests/support/encrypted-fixture/letters.ts';
import { ROOT } from '../../tests/support/server.ts';
import { until } from '../../tests/support/until.ts';
import { type Contender, onServerCore, startContender, withDatabase } from './contender.ts';
import { openLoop, quantile } from './open-loop.ts';
import { keep, print, type Table } from './results.ts';
import { middle, ROUNDS, ratio, withSpread } from './rounds.ts';

const FIXTURE = join(ROOT, 'tests/support/encrypted-fixture/main.ts');
const ROWS = Number(process.env.BENCH_ROWS ?? 100_000);
const SECONDS = 8;
const REQUESTS_A_SECOND = 200;
const KEYS = ['pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt', 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE'];
/** The arguments that re-encrypt, by where that runs. */
const WAYS: Record<string, string[]> = {
  'a job of the server': ['re-encrypt'],
  'a process apart': ['keys', 're-encrypt'],
};

export async function encryptionSuite(): Promise<void> {
  await withDatabase('encryption', async (databaseUrl) => {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
    const ways = Object.entries(WAYS);
    const found = new Map(ways.map(([way]) => [way, { quiet: [], busy: [], seconds: [] } as Found]));
    let ready = false;
    try {
      for (let round = 0; round < ROUNDS * ways.length; round++) {
        const keys = round % 2 === 0 ? KEYS : KEYS.toReversed();
        const [way, command] = ways[(round >> 1) % ways.length] as [string, string[]];
        const env = { DATABASE_URL: databaseUrl, ENCRYPTION_KEY: keys.join(), RATE_LIMIT_MAX: '1000000' };
        const server = await startContender({
          name: way,
          command: [process.execPath, FIXTURE],
          env,
          ready: '/ready',
        });
        try {
          if (!ready) await fill(pool, KEYS[1] as string);
          ready = true;
          const { quiet, busy, seconds } = found.get(way) as Found;
          await p99(server);
          quiet.push(await p99(server));
          const done = run(command, env);
          const key = keyIdOf(keys[0] as string);
          await until('the first row is written', async () => {
            const { rows } = await pool.query('select body from letters where id = 1');
            return rows[0].body.startsWith(`v1.${key}.`);
          });
          const began = performance.now();
          busy.push(await p99(server));
          await done;
          const last = async () => {
            const { rows } = await pool.query('select id from encryption_keys');
            return rows.length === 1 && rows[0].id === key;
          };
          await until('the last row is written', last, 600_000);
          seconds.push((performance.now() - began) / 1_000);
        } finally {
          await server.end();
        }
      }
    } finally {
      await pool.end();
    }
    const table: Table = [
      [`${ROWS} rows, re-encrypted by`, 'p99 without, ms', 'p99 meanwhile, ms', 'ratio', 'took, s'],
      ...[...found].map(([way, { quiet, busy, seconds }]) => [
        way,
        withSpread(quiet, 1),
        withSpread(busy, 1),
        ratio(busy, quiet).toFixed(2),
        middle(seconds).median.toFixed(1),
      ]),
    ];
    print(table);
    await keep('encryption', table, Object.fromEntries(found));
  });
}

type Found = Record<'quiet' | 'busy' | 'seconds', number[]>;

/** Of requests for one letter, in milliseconds. */
async function p99({ port }: Contender): Promise<number> {
  const { times } = await openLoop(port, '/api/letters/7', REQUESTS_A_SECOND, SECONDS, 32);
  return quantile(times.get(200) ?? [], 0.99);
}

async function fill(pool: pg.Pool, key: string): Promise<void> {
  const ring = new Keyring();
  ring.use([key]);
  await pool.query(`drop table if exists letters; truncate encryption_keys; ${LETTERS}`);
  for (let row = 0; row < ROWS; row += 1_000) {
    const bodies = Array.from({ length: 1_000 }, () => ring.encrypt('x'.repeat(100), 'letters.body'));
    await pool.query('insert into letters (body) select unnest($1::text[])', [bodies]);
  }
  await pool.query('insert into encryption_keys (id) values ($1)', [keyIdOf(key)]);
  await pool.query('vacuum analyze letters');
}

/** Runs a command of the server to its end. */
async function run(command: string[], env: Record<string, string>): Promise<void> {
  const [program = '', ...args] = onServerCore([process.execPath, FIXTURE, ...command]);
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
}
