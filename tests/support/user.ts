import pg from 'pg';
import { accountUser } from './account-user.ts';

/** The user from whom requests of tests come. */
export interface TestUser {
  /** What rows of the user have as their owner. */
  readonly id: string;
  /** What a request of the user carries. */
  readonly headers: Readonly<Record<string, string>>;
  /** Statements that make the user in a migrated database. */
  readonly rows: readonly string[];
}

/** Nobody, where nothing tells who is signed in. If your application has an `identity` of its own, write its user here. */
export const user: TestUser = {
  id: '',
  headers: {},
  rows: [],
  ...accountUser,
};

/** Makes the user in a migrated database. One that `createDatabase` has migrated begins with it. */
export async function addUser(databaseUrl: string): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  for (const row of user.rows) await client.query(row);
  await client.end();
}
