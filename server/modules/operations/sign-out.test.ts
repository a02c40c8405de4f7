import { expect, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase } from '../../../tests/support/postgres.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const SESSION = '/api/operations/session';

it('ends the open streams of a session that signs out, and no other’s', async () => {
  const database = await createDatabase();
  {
    const env = { INTERNAL_API_KEY: KEY, SESSION_SECRET: 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi' };
    await using server = await createTestApp(database.url, env);
    const url = await server.listen();
    const signIn = async () => {
      const answer = await server.app.inject({ method: 'POST', url: SESSION, payload: { key: KEY } });
      return String(answer.headers['set-cookie']).split(';')[0] as string;
    };
    const stream = async (cookie: string) => {
      const answer = await fetch(`${url}/api/monitoring/stream`, { headers: { cookie } });
      expect(answer.status).toBe(200);
      return answer;
    };
    const mine = await signIn();
    const others = await signIn();
    const open = await stream(mine);
    const reader = (await stream(others)).body?.getReader();
    await server.app.inject({ method: 'DELETE', url: SESSION, headers: { cookie: mine } });
    // It ends, so its text can be read as a whole.
    expect(await open.text()).toContain('event: hello');
    const read = async () => new TextDecoder().decode((await reader?.read())?.value);
    await expect.poll(read).toContain('event: figures');
    await reader?.cancel();
  }
  await database.drop();
});
