/** Mail servers that refuse, stall and drop, a provider that is away, and workers that are killed: no mail is lost, and none is sent twice uncounted. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import { describe, expect, it } from 'vitest';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { freePort, ROOT, type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { startSmtpServer } from '../../tests/support/smtp.ts';
import { until } from '../../tests/support/until.ts';
import { fullOrShort, ms, record, within } from './support/suite.ts';

const main = join(ROOT, 'tests', 'support', 'mail-fixture', 'main.ts');

/** What a server does with a mail that it has read: `take` answers 250; `keep` takes it and answers nothing. */
type Deed = 'take' | 'keep' | '451' | 'stall' | 'drop';

/** A mail server that does as it is told, and notes what it has taken. */
async function mailServer(deed: (n: number, session: SMTPServerSession) => Deed, port = 0) {
  const taken = new Map<number, number>();
  const onData: SMTPServerOptions['onData'] = async (stream, session, done) => {
    const source = await text(stream).catch(() => undefined);
    // Its sender was killed in the middle of it.
    if (source === undefined) return;
    const n = Number(/^Subject: number (\d+)/m.exec(source)?.[1]);
    const what = deed(n, session);
    if (what === '451') return done(Object.assign(new Error('try later'), { responseCode: 451 }));
    if (what === 'drop') return void socketOf(server.connections, session)?.destroy();
    if (what === 'stall') return;
    taken.set(n, (taken.get(n) ?? 0) + 1);
    if (what === 'take') done();
  };
  const server = await startSmtpServer({ onData }, port);
  return { ...server, taken };
}

interface Connection {
  session: SMTPServerSession;
  _socket: { destroy(): void };
}
const socketOf = (connections: Set<unknown>, session: SMTPServerSession) =>
  [...(connections as Set<Connection>)].find((one) => one.session === session)?._socket;

/** A database, a server that writes mails, and workers that send them. */
async function scene(port: number) {
  const database = await createDatabase();
  const processes: SpawnedServer[] = [];
  const start = async (env: Record<string, string>, args: string[] = []) => {
    const url = `smtp://127.0.0.1:${port}/?socketTimeout=3000&connectionTimeout=1000`;
    const settings = { DATABASE_URL: database.url, MAIL_FROM: 'app@example.org', SMTP_URL: url };
    const started = await startServer({ ...settings, ...env }, { main, args });
    processes.push(started);
    return started;
  };
  const web = await start({ WORKER: 'off' });
  const ready = web.ready();
  let written = 0;
  /** Rows in any order: writers overlap, so the number of a mail is found by its recipient. */
  const outbox = async (): Promise<{ state: string; repeats: number; attempts: number; n: number }[]> => {
    const hash = (n: number) => createHash('sha256').update(`person${n}@example.com`).digest('hex');
    const numbers = new Map(Array.from({ length: written }, (_, at) => [hash(at + 1), at + 1]));
    const { rows } = await query(database.url, 'select recipient, state, repeats, attempts from mail_outbox');
    return rows.map(({ recipient, ...row }) => ({ ...row, n: numbers.get(recipient) ?? 0 }));
  };
  return {
    outbox,
    written: () => written,
    /** @param name How it greets mail servers. */
    async worker(name = 'worker') {
      const url = `smtp://127.0.0.1:${port}/?socketTimeout=3000&connectionTimeout=1000&name=${name}`;
      const started = await start({ SMTP_URL: url }, ['worker']);
      await until('the worker has begun', () => {
        if (started.child.exitCode !== null) throw new Error(started.output());
        return started.output().includes('running jobs') || started.child.signalCode !== null;
      });
      return started;
    },
    async write(count: number) {
      await ready;
      const from = written + 1;
      written += count;
      const answer = await fetch(`${web.url}/api/numbers?from=${from}&count=${count}`, { method: 'POST' });
      expect(answer.status).toBe(201);
    },
    allSent: () =>
      until(
        'all mails are sent',
        async () => {
          const rows = await outbox();
          return rows.length === written && rows.every(({ state }) => state === 'sent') && rows;
        },
        600_000,
        100,
      ),
    async [Symbol.asyncDispose]() {
      for (const one of processes) await one[Symbol.asyncDispose]();
    },
  };
}

/** Each mail was taken; one that was taken twice has a counted repeat. @returns How many came twice, and how many might have. */
function judge(
  taken: ReadonlyMap<number, number>,
  rows: readonly { n: number; repeats: number }[],
): { twice: number; counted: number } {
  let twice = 0;
  for (const { n, repeats } of rows) {
    const times = taken.get(n) ?? 0;
    expect(times, `mail ${n} was taken`).toBeGreaterThan(0);
    expect(times - 1, `mail ${n} was taken once for each counted repeat, at most`).toBeLessThanOrEqual(
      repeats,
    );
    twice += times - 1;
  }
  return { twice, counted: rows.reduce((sum, { repeats }) => sum + repeats, 0) };
}

describe.concurrent('no mail is lost', { timeout: 1_200_000 }, () => {
  it('by a server that refuses, stalls, drops the connection, or takes a mail and does not answer', async () => {
    const seen = new Set<number>();
    const deeds: Deed[] = ['take', '451', 'stall', 'drop', 'keep'];
    await using server = await mailServer((n) => {
      const isFirst = !seen.has(n);
      seen.add(n);
      return isFirst ? (deeds[n % deeds.length] as Deed) : 'take';
    });
    await using place = await scene(server.port);
    await place.worker();
    // Fewer than what the circuit breaker judges by.
    await place.write(9);
    const rows = await place.allSent();
    const { twice, counted } = judge(server.taken, rows);
    record('mailFaults', `0 of ${place.written()} lost; ${twice} sent twice, ${counted} counted`);
    // Those that were taken without an answer, and no others.
    expect(twice).toBe(2);
    const clear = rows.filter(({ n }) => ['take', '451'].includes(deeds[n % deeds.length] as Deed));
    expect(clear.map(({ repeats }) => repeats)).toEqual([0, 0, 0]);
  });

  it('by a provider that is away', async () => {
    const port = await freePort();
    await using place = await scene(port);
    await place.worker();
    await place.write(5);
    await until('it is tried', async () => (await place.outbox()).every(({ attempts }) => attempts > 0));
    const awayMs = fullOrShort(600_000, 8_000);
    await sleep(awayMs);
    await using server = await mailServer(() => 'take', port);
    const back = Date.now();
    await until('the first is taken', () => server.taken.size, 300_000);
    const first = Date.now() - back;
    const rows = await place.allSent();
    const last = Date.now() - back;
    const { twice, counted } = judge(server.taken, rows);
    record(
      'mailAway',
      `0 of 5 lost, ${twice} sent twice; away for ${awayMs / 1_000} s, sent ${ms(first)} to ${ms(last)} after it`,
    );
    expect([twice, counted]).toEqual([0, 0]);
    // The pause before the next attempt is about as long as it has been away, and 5 minutes at most.
    expect(last).toBeLessThan(within(Math.min(310_000, Math.max(15_000, awayMs * 1.5))));
  });

  it('by workers that are killed between sending and noting it', async () => {
    const kills = fullOrShort(20, 3);
    const workers = new Map<string, SpawnedServer>();
    let killed = 0;
    await using server = await mailServer((_n, { hostNameAppearsAs: name }) => {
      const worker = workers.get(String(name));
      if (!worker) return 'take';
      if (worker.child.signalCode === null && worker.child.kill('SIGKILL')) killed++;
      workers.delete(String(name));
      return 'keep';
    });
    await using place = await scene(server.port);
    for (let n = 0; n < kills; ) {
      const names = Array.from({ length: Math.min(4, kills - n) }, (_, at) => `victim-${n + at}`);
      await place.write(6 * names.length);
      const begun = names.map(async (name) => {
        const worker = await place.worker(name);
        workers.set(name, worker);
        await worker.ended(300_000);
      });
      // Each takes up to 10 jobs; where the first have taken all, there is more.
      const more = setInterval(() => void place.write(2), 2_000);
      await Promise.all(begun);
      clearInterval(more);
      n += names.length;
    }
    await place.worker();
    const rows = await place.allSent();
    const { twice, counted } = judge(server.taken, rows);
    record(
      'mailKilled',
      `0 of ${place.written()} lost; ${killed} kills, ${twice} sent twice, ${counted} counted as possibly sent twice`,
    );
    expect(killed).toBe(kills);
    expect(twice).toBeGreaterThanOrEqual(kills);
  });
});
