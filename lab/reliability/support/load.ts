import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { query } from '../../../tests/support/postgres.ts';
import { user } from '../../../tests/support/user.ts';
import { collect } from './suite.ts';

/** What is read and written: the sample. Once it is deleted, name a resource of your own here. */
export const SUBJECT = {
  table: 'notes',
  path: '/api/notes',
  list: '/api/notes?limit=5',
  body: (title: string) => ({ title }),
  rows: `select id::int, title, deleted_at is not null as deleted from notes`,
};

/** What became of one request. */
export interface Outcome {
  what: 'list' | 'read' | 'create' | 'change' | 'delete' | 'other';
  /** When it was sent, on the `performance.now()` clock, and how long its answer took. */
  at: number;
  ms: number;
  /** 0: there was no answer. */
  status: number;
  error?: string;
  headers: IncomingHttpHeaders;
  /** Whether it was told as a problem document. */
  problem: boolean;
}

export interface Answer extends Outcome {
  body: string;
}

/** Sends one request of the tests' user and reads its answer whole. Never rejects. */
export function send(
  agent: Agent,
  url: string,
  options: { method?: string; body?: unknown; headers?: Record<string, string>; what?: Outcome['what'] } = {},
): Promise<Answer> {
  const { method = 'GET', body, headers = {}, what = 'other' } = options;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const at = performance.now();
  return new Promise((resolve) => {
    const done = (status: number, more: Partial<Answer>) =>
      resolve({
        what,
        at,
        ms: performance.now() - at,
        status,
        headers: {},
        problem: false,
        body: '',
        ...more,
      });
    const sent = request(
      url,
      {
        agent,
        method,
        headers: {
          ...user.headers,
          ...headers,
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      },
      (response) => {
        let received = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          received += chunk;
        });
        response.on('error', (error) => done(0, { error: error.message }));
        response.on('end', () =>
          done(response.statusCode ?? 0, {
            headers: response.headers,
            problem: response.headers['content-type']?.startsWith('application/problem+json') ?? false,
            body: received,
          }),
        );
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => done(0, { error: error.code ?? error.message }));
    sent.end(text);
  });
}

interface Entry {
  titles: Set<string>;
  deleted: boolean | 'perhaps';
  etag: string | undefined;
}

/** Every write that the API has acknowledged; what was not answered may have happened or not. */
export class Ledger {
  readonly #entries = new Map<number, Entry>();
  readonly #untouched: number[] = [];
  acknowledged = 0;
  /** One that is never changed. */
  readable: number | undefined;

  created(id: number, title: string, etag: string | undefined): void {
    this.acknowledged++;
    this.#entries.set(id, { titles: new Set([title]), deleted: false, etag });
    if (this.readable === undefined) this.readable = id;
    else this.#untouched.push(id);
  }

  /** One to change or to delete: each is taken once, so that no two changes of it are ever under way. */
  take(): [id: number, entry: Entry] | undefined {
    const id = this.#untouched.pop();
    return id === undefined ? undefined : [id, this.#entries.get(id) as Entry];
  }

  /** Compares with the database. @returns How many writes are not there. */
  async missing(databaseUrl: string): Promise<number> {
    const { rows } = await query(databaseUrl, SUBJECT.rows);
    const found = new Map(
      rows.map(({ id, ...row }) => [id as number, row as { title: string; deleted: boolean }]),
    );
    let missing = 0;
    for (const [id, { titles, deleted }] of this.#entries) {
      const row = found.get(id);
      // Undone deletions are none of ours, so a row that should be gone and is there is a lost write as well.
      const right = row && titles.has(row.title) && (deleted === 'perhaps' || row.deleted === deleted);
      if (!right) missing++;
    }
    return missing;
  }

  /** Asserts that nothing is missing, and keeps the sum for the last row of the table. */
  async settle(databaseUrl: string): Promise<void> {
    const missing = await this.missing(databaseUrl);
    collect({ acknowledged: this.acknowledged, missing });
    expect(missing, 'acknowledged writes that are missing').toBe(0);
  }
}

/** Requests at a fixed rate, whether the ones before have been answered or not: four reads to two writes. */
export class Load {
  readonly outcomes: Outcome[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 1_000 });
  readonly #url: string;
  readonly #ledger: Ledger;
  #sent = 0;
  #under = 0;
  #going = true;
  readonly #run: Promise<void>;

  /** @param rate Requests a second; 0 for as many as so many clients (`clients`) make that wait for each answer. */
  static start(url: string, ledger: Ledger, rate: number, clients = 0): Load {
    return new Load(url, ledger, rate, clients);
  }

  private constructor(url: string, ledger: Ledger, rate: number, clients: number) {
    this.#url = url;
    this.#ledger = ledger;
    this.#run = rate > 0 ? this.#openLoop(rate) : this.#closedLoop(clients);
  }

  /** Ends it and waits for what is under way. @returns what became of everything. */
  async stop(): Promise<Outcome[]> {
    this.#going = false;
    await this.#run;
    const limit = performance.now() + 40_000;
    while (this.#under > 0 && performance.now() < limit) await sleep(20);
    this.#agent.destroy();
    if (this.#under > 0) throw new Error(`${this.#under} requests were never answered`);
    return this.outcomes;
  }

  /** Ends it after a while. @returns what became of everything. */
  async stopAfter(milliseconds: number): Promise<Outcome[]> {
    await sleep(milliseconds);
    return this.stop();
  }

  async #openLoop(rate: number): Promise<void> {
    const began = performance.now();
    while (this.#going) {
      const due = ((performance.now() - began) / 1_000) * rate;
      while (this.#sent < due) void this.#one();
      await sleep(2);
    }
  }

  async #closedLoop(clients: number): Promise<void> {
    const client = async () => {
      while (this.#going) await this.#one();
    };
    await Promise.all(Array.from({ length: clients }, client));
  }

  async #one(): Promise<void> {
    const n = this.#sent++;
    this.#under++;
    this.outcomes.push(await this.#request(n));
    this.#under--;
  }

  #request(n: number): Promise<Outcome> {
    const turn = n % 12;
    if (turn === 1 || turn === 4 || turn === 7) return this.#create();
    if (turn === 10) return n % 24 === 10 ? this.#change() : this.#delete();
    const { readable } = this.#ledger;
    if (turn % 2 === 0 || readable === undefined) return this.#ask('list', SUBJECT.list);
    return this.#ask('read', `${SUBJECT.path}/${readable}`);
  }

  #ask(what: Outcome['what'], path: string, options: Parameters<typeof send>[2] = {}): Promise<Answer> {
    return send(this.#agent, this.#url + path, { ...options, what }).then((answer) => {
      // What was read is not looked at, so it need not be kept.
      if (what === 'list' || what === 'read') answer.body = '';
      return answer;
    });
  }

  async #create(): Promise<Outcome> {
    const title = `written ${Date.now()} ${Math.random().toString(36).slice(2)}`;
    const answer = await this.#ask('create', SUBJECT.path, { method: 'POST', body: SUBJECT.body(title) });
    if (answer.status === 201) this.#ledger.created(JSON.parse(answer.body).id, title, answer.headers.etag);
    return trimmed(answer);
  }

  async #change(): Promise<Outcome> {
    const taken = this.#ledger.take();
    if (!taken) return this.#create();
    const [id, entry] = taken;
    const title = `changed ${Date.now()}`;
    const answer = await this.#ask('change', `${SUBJECT.path}/${id}`, {
      method: 'PATCH',
      body: SUBJECT.body(title),
      headers: { 'if-match': entry.etag ?? '' },
    });
    if (answer.status === 200) {
      this.#ledger.acknowledged++;
      entry.titles.clear();
    }
    entry.titles.add(title);
    return trimmed(answer);
  }

  async #delete(): Promise<Outcome> {
    const taken = this.#ledger.take();
    if (!taken) return this.#create();
    const [id, entry] = taken;
    entry.deleted = 'perhaps';
    const answer = await this.#ask('delete', `${SUBJECT.path}/${id}`, { method: 'DELETE' });
    if (answer.status === 204) {
      this.#ledger.acknowledged++;
      entry.deleted = true;
    }
    return trimmed(answer);
  }
}

const trimmed = (answer: Answer): Outcome => ({ ...answer, body: undefined }) as Outcome;

/** What was not answered as it should be. */
export const failed = (outcomes: readonly Outcome[]): Outcome[] =>
  outcomes.filter(({ status }) => status === 0 || status >= 400);

/** Failures by kind, in words, for messages. */
export function summary(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { what, status, error } of outcomes) {
    const key = `${what} ${status || error}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${count} × ${key}`).join(', ') || 'none';
}
