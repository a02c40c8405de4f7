import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { LogLevel } from '#contracts/operations/log.ts';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import { readStream, type StreamEvents } from '#contracts/operations/stream.ts';
import type { TrafficHistory, TrafficWindow } from '#contracts/operations/traffic.ts';
import type { Lifecycle } from '../../platform/health/lifecycle.ts';
import { type EventStream, encodeEvent, events, HEARTBEAT_MS } from '../../platform/http/event-stream.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Alerts } from './alerts.ts';
import type { LogViews } from './log/log-views.ts';
import type { Silences } from './silences.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Maximum number of open streams. Each holds a connection. */
const MAX_CLIENTS = 1_000;
/** Log lines are sent in batches: at this interval, and at most this many at a time. */
const LOG_MS = 250;
const MAX_LOG_LINES = 200;
/** After a reconnect: as many as the tail has. */
const MAX_RESUMED_LINES = 1_000;
const MAX_ERRORS = 50;
/** A stream ends this long before its session: the reconnect renews the session. */
const SESSION_MARGIN_MS = 5 * 60_000;

interface StreamOptions extends LogViews {
  instance: string;
  lifecycle: Lifecycle;
  traffic: Pick<Traffic, 'watch' | 'onTick' | 'history'>;
  alerts: Pick<Alerts, 'list' | 'onChange'>;
  silences: Pick<Silences, 'refresh'>;
  now: () => Promise<ProcessStatus>;
}

/** One open screen. */
interface Client {
  stream: EventStream;
  window: TrafficWindow;
  /** The last step of the history that it received. */
  lastStep: number;
  /** The level of the log lines that it wants, and the last line that it received. */
  level: LogLevel | undefined;
  seq: number;
  /** Undefined for a client with a key. */
  sessionId: string | undefined;
  /** Milliseconds since 1970. */
  endsAt: number;
}

/**
 * The event stream of the operations screen. All of its events come from one process.
 *
 * While a screen is open, figures are sampled and readiness is checked. Nothing runs after the last one has closed.
 */
export const stream: FastifyPluginAsyncTypebox<StreamOptions> = async (app, options) => {
  const { instance, lifecycle, traffic, alerts, silences, tail, errors, now } = options;
  const clients = new Set<Client>();
  /** Stops what runs while a screen is open. */
  let stop: (() => void) | undefined;

  app.route({
    ...readStream,
    // A HEAD request would never end.
    exposeHeadRoute: false,
    config: { access: 'operator', untimed: true },
    async handler(request, reply) {
      if (clients.size >= MAX_CLIENTS)
        throw new ProblemError('unavailable', `${MAX_CLIENTS} screens are open already. Close one of them.`);
      const { log: level, window = '15m' } = request.query;
      const resumed = resumedFrom(request.headers['last-event-id']);
      const stream = events(reply, { onDrain: (one) => one.send(event('reconnect', { instance })) });
      const history = traffic.history(window);
      const client: Client = {
        ...{ stream, window, level },
        lastStep: history.times.at(-1) ?? 0,
        seq: resumed ?? 0,
        sessionId: request.operatorSession?.id,
        endsAt: endOf(request.operatorSession?.expiresAt),
      };
      add(client);
      stream.send(event('hello', { instance, heartbeatMs: HEARTBEAT_MS }));
      stream.send(event('history', history));
      stream.send(shownAlerts());
      stream.send(shownErrors());
      sendLines([client], resumed === undefined ? MAX_LOG_LINES : MAX_RESUMED_LINES);
      stream.send(event('figures', await now()));
      // No `reconnect`: the client would come back to this process at once.
      if (request.draining.aborted) stream.end();
      await silences.refresh();
      stream.send(shownAlerts());
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
    client.stream.onClose(() => {
      clients.delete(client);
      if (clients.size > 0) return;
      stop?.();
      stop = undefined;
    });
    stop ??= run();
  }

  /** @returns A function that stops all of it. */
  function run(): () => void {
    let seenErrors = errors.seen;
    let logTimer: NodeJS.Timeout | undefined;
    const ends = [
      traffic.watch(),
      traffic.onTick(() => {
        void tick();
        if (errors.seen === seenErrors) return;
        seenErrors = errors.seen;
        sendAll(shownErrors());
      }),
      alerts.onChange(() => sendAll(shownAlerts())),
      tail.onLines(() => {
        logTimer ??= setTimeout(() => {
          logTimer = undefined;
          sendLines(clients, MAX_LOG_LINES);
        }, LOG_MS).unref();
      }),
      () => clearTimeout(logTimer),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  async function tick(): Promise<void> {
    if (clients.size === 0) return;
    sendAll(event('figures', await now()));
    const stepsFor = oncePerKey(
      ({ window, lastStep }) => `${window} ${lastStep}`,
      ({ window, lastStep }) => {
        const steps = stepsAfter(traffic.history(window), lastStep);
        return steps && { last: steps.times.at(-1) as number, text: event('history', steps) };
      },
    );
    for (const client of clients) {
      if (Date.now() >= client.endsAt) client.stream.end();
      const steps = stepsFor(client);
      if (steps === undefined) continue;
      client.lastStep = steps.last;
      client.stream.send(steps.text);
    }
  }

  const shownAlerts = () => event('alerts', { instance, alerts: alerts.list() });

  function shownErrors(): Buffer {
    const latest = errors.list().slice(0, MAX_ERRORS);
    return event('errors', { instance, errors: latest.map(({ stack: _, ...group }) => group) });
  }

  function sendLines(to: Iterable<Client>, limit: number): void {
    const linesFor = oncePerKey(
      ({ level, seq }) => `${level} ${seq}`,
      ({ level, seq }) => {
        if (level === undefined) return undefined;
        const { lines, missed } = tail.after(seq, { level, limit });
        if (seq > 0 && lines.length === 0 && missed === 0) return undefined;
        // The first batch is the end of the log by design: nothing is missed.
        return event('log', { instance, lines, missed: seq === 0 ? 0 : missed }, tail.last);
      },
    );
    for (const client of to) {
      const text = linesFor(client);
      if (client.level !== undefined) client.seq = tail.last;
      if (text) client.stream.send(text);
    }
  }

  function sendAll(text: Buffer): void {
    for (const client of clients) client.stream.send(text);
  }

  /**
   * @param seq The last log line that it holds, from which a later connection resumes.
   * @returns One buffer, which all clients share.
   */
  function event<Name extends keyof StreamEvents>(
    name: Name,
    data: StreamEvents[Name],
    seq?: number,
  ): Buffer {
    return encodeEvent({ event: name, data, ...(seq === undefined ? {} : { id: `${instance}:${seq}` }) });
  }

  /** @returns The last log line that the client received, if this process sent it. */
  function resumedFrom(id: string | string[] | undefined): number | undefined {
    const [, name, seq] = /^(.+):(\d{1,15})$/.exec(String(id ?? '')) ?? [];
    return name === instance && Number(seq) <= tail.last ? Number(seq) : undefined;
  }
};

/** @param sessionEndsAt Undefined for a client with a key, which does not expire. */
function endOf(sessionEndsAt = Number.POSITIVE_INFINITY): number {
  const early = sessionEndsAt - SESSION_MARGIN_MS;
  return early - Date.now() > SESSION_MARGIN_MS ? early : sessionEndsAt;
}

/** @returns `make`, called once for all clients with the same key. */
function oncePerKey<Value>(key: (client: Client) => string, make: (client: Client) => Value) {
  const made = new Map<string, Value>();
  return (client: Client): Value => {
    const name = key(client);
    if (!made.has(name)) made.set(name, make(client));
    return made.get(name) as Value;
  };
}

/** The columns of a history after a time; undefined if there are none. */
function stepsAfter(history: TrafficHistory, time: number): TrafficHistory | undefined {
  const from = history.times.findIndex((at) => at > time);
  if (from === -1) return undefined;
  const entries = Object.entries(history).map(([name, column]) => [
    name,
    Array.isArray(column) ? column.slice(from) : column,
  ]);
  return Object.fromEntries(entries);
}
