import type { InjectOptions } from 'fastify';
import { Type } from 'typebox';
import { mails } from '../../server/features/people/mails.ts';
import { createAccounts } from '../../server/modules/accounts/part.ts';
import type { People } from '../../server/modules/accounts/people.ts';
import type { Mailer } from '../../server/platform/mailer.ts';
import type { Part } from '../../server/platform/parts.ts';
import { createTestApp, type TestApp } from './app.ts';
import { createDatabase, query, type TestDatabase } from './postgres.ts';

/** For tests: the application with accounts, a mailbox, and browsers. */
export interface Scene extends AsyncDisposable {
  readonly server: TestApp;
  readonly database: TestDatabase;
  /** The newest last. */
  readonly mailbox: { to: string; template: string; subject: string; text: string }[];
  /** Names of templates of which no more are sent, as after some within an hour. */
  readonly refuses: Set<string>;
  /** One at an address of its own, which limits count. */
  browser(more?: Partial<InjectOptions>): Browser;
  /** The token of the newest mail to the address. */
  tokenFor(to: string): string;
}

export interface Answer {
  status: number;
  body: Record<string, never> & { next?: string; type?: string; detail?: string };
  /** As sent. */
  cookies: string[];
}

export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #server: TestApp;
  readonly #more: Partial<InjectOptions>;

  constructor(server: TestApp, more: Partial<InjectOptions> = {}) {
    this.#server = server;
    this.#more = more;
  }

  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    payload?: object,
  ): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await this.#server.app.inject({
      ...this.#more,
      method,
      url,
      headers: { ...(cookie && { cookie }), 'user-agent': 'Test/1.0', ...this.#more.headers },
      ...(payload && { payload }),
    });
    const cookies = [answer.headers['set-cookie'] ?? []].flat() as string[];
    for (const one of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(one) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json(), cookies };
  }

  post = (url: string, payload?: object) => this.send('POST', `/api/account${url}`, payload);
  me = async () => (await this.send('GET', '/api/me')).body as never as { user: { email: string } | null };
}

export const SECRET = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
export const ENCRYPTION_KEY = 'Vb8mQ2xZ6Kd1Tn9Rw4Ly7HcFs3Ju5PgEaXo0iNzUqYt';
export const PASSWORD = 'four words in a row';

/** A database without the user of other tests. */
async function withoutUser(): Promise<TestDatabase> {
  const database = await createDatabase();
  await query(database.url, 'delete from users');
  return database;
}

export async function accountScene(
  env: Record<string, string> = {},
  more: {
    people?: Partial<People>;
    delivers?: boolean;
    database?: TestDatabase;
    /** Besides accounts. */
    parts?: readonly Part[];
  } = {},
): Promise<Scene> {
  const database = more.database ?? (await withoutUser());
  let addresses = 0;
  const refuses = new Set<string>();
  const mailbox: Scene['mailbox'] = [];
  const mail: Mailer = {
    delivers: more.delivers ?? true,
    async send(tx, template, to, data) {
      if (refuses.has(template.name)) return false;
      const { subject, text } = template.write(data);
      tx.afterCommit(() => void mailbox.push({ to, template: template.name, subject, text }));
      return true;
    },
  };
  const people: People = { mails, profile: Type.Object({}), roles: {}, ...more.people };
  const server = await createTestApp(
    database.url,
    { SESSION_SECRET: SECRET, ENCRYPTION_KEY, PUBLIC_URL: 'https://app.test', ...env },
    {
      compose(platform) {
        const accounts = createAccounts({ ...platform, mail, people });
        return { modules: [accounts], features: more.parts ?? [], identity: accounts.identity };
      },
    },
  );
  return {
    server,
    database,
    mailbox,
    refuses,
    browser: (options) => new Browser(server, { remoteAddress: `10.0.0.${++addresses}`, ...options }),
    tokenFor(to) {
      const text = mailbox.findLast((one) => one.to === to && one.text.includes('#token='))?.text;
      return /#token=([\w-]+)/.exec(text ?? '')?.[1] ?? '';
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      if (!more.database) await database.drop();
    },
  };
}

/** Signs a person up, verifies the address, and signs in. */
export async function signedIn(scene: Scene, email: string, password = PASSWORD): Promise<Browser> {
  const browser = scene.browser();
  await browser.post('/sign-up', { name: 'Ada Lovelace', email, password });
  await browser.post('/verify', { token: scene.tokenFor(email) });
  await browser.post('/sign-in', { email, password });
  return browser;
}
