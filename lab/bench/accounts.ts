/** What it costs to know whose session a request has: by our check, and by better-auth's `getSession`. */
import { join } from 'node:path';
import { makeSession, makeUser, SESSION_SECRET } from '../../tests/support/people.ts';
import { CONTENDERS, startContender, withDatabase } from './contender.ts';
import { keep, print, type Table } from './results.ts';
import { ratio, type Turn, takeTurns, times, withSpread } from './rounds.ts';

/** Fewer than the pool has: better-auth asks the database at each request. */
const CONNECTIONS = 8;
/** Each on the same server, so that a turn differs from the next by nothing else. */
const REQUESTS: Record<string, string> = {
  anonymous: '/api/small/public',
  'a user, by the session': '/api/small/user',
  "a user, by better-auth's getSession": '/api/small/library',
};

export async function accountsSuite(): Promise<void> {
  await withDatabase('accounts', async (databaseUrl) => {
    const { cookie } = await makeSession(databaseUrl, await makeUser(databaseUrl, 'Ada'));
    const contender = await startContender({
      name: 'this server',
      command: [process.execPath, join(CONTENDERS, 'accounts.ts')],
      ready: '/ready',
      env: {
        NODE_ENV: 'production',
        DATABASE_URL: databaseUrl,
        RATE_LIMIT_MAX: '1000000000',
        SESSION_SECRET,
        PUBLIC_URL: 'http://127.0.0.1',
      },
    });
    try {
      const turns = Object.entries(REQUESTS).map(([name, path], at): [string, Turn] => [
        name,
        { contender, path, connections: CONNECTIONS, headers: at === 0 ? {} : { cookie } },
      ]);
      const found = await takeTurns(new Map(turns));
      const anonymous = times(found.get('anonymous'));
      const table: Table = [
        ['a small request', 'CPU µs a request', 'against anonymous'],
        ...[...found].map(([name, loads]) => [
          name,
          withSpread(times(loads), 1),
          ratio(times(loads), anonymous).toFixed(2),
        ]),
      ];
      print(table);
      await keep('accounts', table, Object.fromEntries(found));
    } finally {
      await contender.end();
    }
  });
}
