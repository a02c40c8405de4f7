import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Alert } from '#contracts/operations/alerts.ts';
import type { LogLevel } from '#contracts/operations/log.ts';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import { readStream, type StreamEvents } from '#contracts/operations/stream.ts';
import type { TrafficHistory, TrafficWindow } from '#contracts/operations/traffic.ts';
import type { Lifecycle } from '../../platform/health/lifecycle.ts';
import { type EventStream, encodeEvent, events, HEARTBEAT_MS } from '../../platform/http/event-stream.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { LogViews } from './log/log-views.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Screens that are open at once; each holds a connection. */
const MAX_CLIENTS = 1_000;
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
  now: () => Promise<ProcessStatus>;
}

/** One open screen. */
interface Client {
  stream: EventStream;
  window: TrafficWindow;
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
 * nothing runs.
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
    config: { access: 'operator', untimed: true },
    async handler(request, reply) {
      if (clients.size >= MAX_CLIENTS) {
        throw new ProblemError('unavailable', `${MAX_CLIENTS} screens are open already. Close one of them.`);
      }
      const { log, window = '15m' } = request.query;
      const resumed = resumedFrom(request.headers['last-event-id']);
      const client: Client = {
        stream: events(reply, { onDrain: (stream) => stream.send(event('reconnect', { instance })) }),
        window,
        lastStep: 0,
        level: log,
        seq: resumed ?? 0,
        sessionId: request.operatorSession?.id,
        endsAt: endOf(request.operatorSession?.expiresAt),
      };
      add(client);
      client.stream.send(event('hello', { instance, heartbeatMs: HEARTBEAT_MS }));
      const whole = traffic.history(window);
      client.lastStep = whole.times.at(-1) ?? 0;
      client.stream.send(event('history', whole));
      client.stream.send(event('alerts', { instance, alerts: alerts.list() }));
      client.stream.send(event('errors', shownErrors()));
      if (log !== undefined) sendLines([client], resumed === undefined ? LOG_LINES : RESUMED_LINES);
      client.stream.send(event('figures', await parts.now()));
      // It has been told so, and is not sent on: that would bring it back at once.
      if (request.draining.aborted) client.stream.end();
      await alerts.refresh();
      client.stream.send(event('alerts', { instance, alerts: alerts.list() }));
    },
  });
  app.operators.onSignOut(({ id }) => {
    for (const { sessionId, stream } of clients) if (sessionId === id) stream.end();
  });
  lifecycle.onTransition(() => {
    if (!app.draining.aborted) void tick();
  });

  function add(client: Client): void {
    if (client.stream.closed.aborted) return;
    clients.add(client);
    client.stream.onClose(() => remove(client));
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
      if (Date.now() >= client.endsAt) client.stream.end();
      const steps = further(client);
      if (steps === undefined) continue;
      client.lastStep = steps.last;
      client.stream.send(steps.text);
    }
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
      if (text) client.stream.send(text);
    }
  }

  function sendAll<Name extends keyof StreamEvents>(name: Name, data: StreamEvents[Name]): void {
    const text = event(name, data);
    for (const client of clients) client.stream.send(text);
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
    return encodeEvent({ event: name, data, ...(seq === undefined ? {} : { id: `${instance}:${seq}` }) });
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
function stepsAfter(history: TrafficHistory, time: number): TrafficHistory | undefined {
  const from = history.times.findIndex((at) => at > time);
  if (from === -1) return undefined;
  const entries = Object.entries(history).map(([name, column]) => [
    name,
    Array.isArray(column) ? column.slice(from) : column,
  ]);
  return Object.fromEntries(entries);
}
