import type { ServerResponse } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  type Alert,
  type History,
  type LogLevel,
  type Now,
  readStream,
  type StreamEvents,
  type Window,
} from '#contracts/monitoring.ts';
import { ProblemError } from '../../lib/problem.ts';
import type { Lifecycle } from '../../lifecycle.ts';
import type { LogViews } from '../../monitoring/logger.ts';
import type { Traffic } from '../../monitoring/traffic.ts';

/** Screens that are open at once; each holds a connection. */
const MOST_CLIENTS = 1_000;
/** A client that has this much unread, in bytes, reads more slowly than we write. */
const MOST_UNREAD = 1_024 * 1_024;
/** All of them together; beyond it those go that have more than their share. */
const MOST_UNREAD_TOGETHER = 64 * 1_024 * 1_024;
/** Proxies end a connection on which nothing moves; 60 s is the shortest that is usual. In milliseconds. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = Buffer.from(':\n\n');
/** Lines of the log go out together, this often, and so many at a time. */
const LOG_MS = 250;
const LOG_LINES = 200;
/** After a reconnect, as many as the tail has. */
const RESUMED_LINES = 1_000;
const SHOWN_ERRORS = 50;
/** Before a session ends its stream does: connecting again renews the one, and goes on with the other. */
const SESSION_MARGIN_MS = 5 * 60_000;

/** The alerts as they stand, and who tells when one changes. */
export interface AlertSource {
  list(): Alert[];
  /** @returns A function that ends the subscription. */
  onChange(listener: () => void): () => void;
  /** Looks for silences that another process may have made. Never rejects. */
  refresh(): Promise<void>;
}

export interface StreamParts extends LogViews {
  instance: string;
  lifecycle: Lifecycle;
  traffic: Pick<Traffic, 'watch' | 'onTick' | 'history'>;
  alerts: AlertSource;
  now: () => Promise<Now>;
}

/** One open screen. */
interface Client {
  response: ServerResponse;
  window: Window;
  /** The step of the history that it has. */
  lastStep: number;
  /** Which lines of the log it wants, and up to which it has them. */
  level: LogLevel | undefined;
  seq: number;
  /** Absent for who came with a key. */
  sessionId: string | undefined;
  /** Milliseconds since 1970. */
  endsAt: number;
}

/**
 * The event stream of the operations screen: everything that it draws, from one process.
 *
 * While a screen is open the figures are sampled and readiness is looked at with each of them; when the last one closes,
 * nothing runs. A stream ends by itself when the process is told to stop, because a drain waits for every connection.
 */
export const stream: FastifyPluginAsyncTypebox<StreamParts> = async (app, parts) => {
  const { instance, lifecycle, traffic, alerts, tail, errors } = parts;
  const clients = new Set<Client>();
  /** Ends what runs while a screen is open. */
  let stop: (() => void) | undefined;

  app.route({
    ...readStream,
    // Nobody could end a HEAD.
    exposeHeadRoute: false,
    config: { unhurried: true },
    async handler(request, reply) {
      if (clients.size >= MOST_CLIENTS) {
        throw new ProblemError('unavailable', `${MOST_CLIENTS} screens are open already. Close one of them.`);
      }
      const { log, window = '15m' } = request.query;
      const resumed = resumedFrom(request.headers['last-event-id']);
      const client: Client = {
        response: reply.raw,
        window,
        lastStep: 0,
        level: log,
        seq: resumed ?? 0,
        sessionId: request.operatorSession?.id,
        endsAt: endOf(request.operatorSession?.expiresAt),
      };
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        ...(isStopping() ? { connection: 'close' } : {}),
      });
      add(client);
      // Not all at the same moment, when a replica goes.
      reply.raw.write(`retry: ${2_000 + Math.round(Math.random() * 1_000)}\n\n`);
      write(client, event('hello', { instance, heartbeatMs: HEARTBEAT_MS }));
      const whole = traffic.history(window);
      client.lastStep = whole.times.at(-1) ?? 0;
      write(client, event('history', whole));
      write(client, event('alerts', { instance, alerts: alerts.list() }));
      write(client, event('errors', shownErrors()));
      if (log !== undefined) sendLines([client], resumed === undefined ? LOG_LINES : RESUMED_LINES);
      write(client, event('figures', await parts.now()));
      // Whoever comes now has been told so; to be sent on at once would bring it back at once.
      if (isStopping()) reply.raw.end();
      await alerts.refresh();
      write(client, event('alerts', { instance, alerts: alerts.list() }));
    },
  });
  app.addHook('onClose', async () => bye());
  app.operators.onSignOut(({ id }) => {
    for (const { sessionId, response } of clients) if (sessionId === id) response.end();
  });
  lifecycle.onTransition(() => {
    if (isStopping()) bye();
    else void tick();
  });
  const isStopping = () => lifecycle.state === 'draining' || lifecycle.state === 'stopped';

  function add(client: Client): void {
    clients.add(client);
    client.response.once('close', () => remove(client));
    stop ??= run();
  }

  function remove(client: Client): void {
    clients.delete(client);
    if (clients.size > 0) return;
    stop?.();
    stop = undefined;
  }

  /** @returns A function that ends all of it. */
  function run(): () => void {
    let seenErrors = errors.seen;
    const heartbeat = setInterval(() => {
      for (const client of clients) {
        if (Date.now() >= client.endsAt) client.response.end();
        else write(client, HEARTBEAT);
      }
    }, HEARTBEAT_MS).unref();
    let logTimer: NodeJS.Timeout | undefined;
    const ends = [
      traffic.watch(),
      traffic.onTick(() => {
        void tick();
        if (errors.seen === seenErrors) return;
        seenErrors = errors.seen;
        sendAll('errors', shownErrors());
      }),
      alerts.onChange(() => sendAll('alerts', { instance, alerts: alerts.list() })),
      tail.onLines(() => {
        logTimer ??= setTimeout(() => {
          logTimer = undefined;
          sendLines(clients, LOG_LINES);
        }, LOG_MS).unref();
      }),
    ];
    return () => {
      clearInterval(heartbeat);
      clearTimeout(logTimer);
      for (const end of ends) end();
    };
  }

  async function tick(): Promise<void> {
    if (clients.size === 0) return;
    sendAll('figures', await parts.now());
    const further = sharedBy(
      (client: Client) => `${client.window} ${client.lastStep}`,
      ({ window, lastStep }) => {
        const steps = stepsAfter(traffic.history(window), lastStep);
        return steps && { last: steps.times.at(-1) as number, text: event('history', steps) };
      },
    );
    for (const client of clients) {
      const steps = further(client);
      if (steps === undefined) continue;
      client.lastStep = steps.last;
      write(client, steps.text);
    }
    endSlowest();
  }

  function endSlowest(): void {
    let unread = 0;
    for (const { response } of clients) unread += response.writableLength;
    if (unread <= MOST_UNREAD_TOGETHER) return;
    const share = MOST_UNREAD_TOGETHER / clients.size;
    for (const client of clients) if (client.response.writableLength > share) endSlow(client);
  }

  function shownErrors(): StreamEvents['errors'] {
    const latest = errors.list().slice(0, SHOWN_ERRORS);
    return { instance, errors: latest.map(({ stack: _, ...group }) => group) };
  }

  function sendLines(to: Iterable<Client>, limit: number): void {
    const further = sharedBy(
      (client: Client) => `${client.level} ${client.seq}`,
      ({ level, seq }) => {
        if (level === undefined) return undefined;
        const { lines, missed } = tail.after(seq, { level, limit });
        // At the beginning nothing is missed: it is an end of the log that was asked for.
        if (seq === 0) return event('log', { instance, lines, missed: 0 }, tail.last);
        return lines.length > 0 || missed > 0
          ? event('log', { instance, lines, missed }, tail.last)
          : undefined;
      },
    );
    for (const client of to) {
      const text = further(client);
      if (client.level !== undefined) client.seq = tail.last;
      if (text) write(client, text);
    }
  }

  function sendAll<Name extends keyof StreamEvents>(name: Name, data: StreamEvents[Name]): void {
    const text = event(name, data);
    for (const client of clients) write(client, text);
  }

  /**
   * @param seq The last line of the log that it holds; from there on a later connection resumes.
   * @returns Bytes, which all who are sent them share until they have read them.
   */
  function event<Name extends keyof StreamEvents>(
    name: Name,
    data: StreamEvents[Name],
    seq?: number,
  ): Buffer {
    const id = seq === undefined ? '' : `id: ${instance}:${seq}\n`;
    return Buffer.from(`event: ${name}\n${id}data: ${JSON.stringify(data)}\n\n`);
  }

  function write(client: Client, text: Buffer): void {
    const { response } = client;
    if (response.destroyed || response.writableEnded) return;
    if (response.writableLength > MOST_UNREAD) endSlow(client);
    else response.write(text);
  }

  function endSlow({ response }: Client): void {
    app.log.debug('a screen reads too slowly: its stream is ended');
    response.destroy();
  }

  /** Sends every screen to another process. */
  function bye(): void {
    sendAll('reconnect', { instance });
    for (const { response } of clients) response.end();
  }

  /** @returns The last line of the log that a client has, if it was this process that sent it. */
  function resumedFrom(id: string | string[] | undefined): number | undefined {
    const [, name, seq] = /^(.+):(\d{1,15})$/.exec(String(id ?? '')) ?? [];
    return name === instance && Number(seq) <= tail.last ? Number(seq) : undefined;
  }
};

/** @param sessionEndsAt Undefined for who came with a key, which does not end. */
function endOf(sessionEndsAt = Number.POSITIVE_INFINITY): number {
  const early = sessionEndsAt - SESSION_MARGIN_MS;
  return early - Date.now() > SESSION_MARGIN_MS ? early : sessionEndsAt;
}

/** @returns `make`, called once for all clients that have the same key. */
function sharedBy<Value>(key: (client: Client) => string, make: (client: Client) => Value) {
  const made = new Map<string, Value>();
  return (client: Client): Value => {
    const name = key(client);
    if (!made.has(name)) made.set(name, make(client));
    return made.get(name) as Value;
  };
}

/** The columns of a history from behind a time on; undefined where there is nothing new. */
function stepsAfter(history: History, time: number): History | undefined {
  const from = history.times.findIndex((at) => at > time);
  if (from === -1) return undefined;
  const entries = Object.entries(history).map(([name, column]) => [
    name,
    Array.isArray(column) ? column.slice(from) : column,
  ]);
  return Object.fromEntries(entries);
}
