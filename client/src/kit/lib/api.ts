import type { Static, TSchema } from 'typebox';
import type { Problem } from '#contracts/problem.ts';

/** What a contract states about one route. `request` uses its types alone, so no schema is loaded for it. */
export type Contract = {
  readonly method: string;
  readonly url: string;
  readonly schema: {
    readonly params?: TSchema;
    readonly querystring?: TSchema;
    readonly headers?: TSchema;
    readonly body?: TSchema;
    readonly response: Readonly<Record<number, TSchema>>;
  };
};

type Part<
  Route extends Contract,
  Key extends 'params' | 'querystring' | 'headers' | 'body',
  Name extends string,
> = Route['schema'][Key] extends TSchema
  ? object extends Static<Route['schema'][Key]>
    ? { [name in Name]?: Static<Route['schema'][Key]> }
    : { [name in Name]: Static<Route['schema'][Key]> }
  : { [name in Name]?: never };

type Options<Route extends Contract> = Part<Route, 'params', 'params'> &
  Part<Route, 'querystring', 'query'> &
  Part<Route, 'headers', 'headers'> &
  Part<Route, 'body', 'body'> & {
    signal?: AbortSignal;
    /** The request outlives the page. Browsers allow it for small bodies; a larger one is sent without. */
    keepalive?: boolean;
  };

/** The body of a route's success answer. */
export type Answer<Route extends Contract> = {
  [Code in keyof Route['schema']['response'] & (200 | 201 | 204)]: Code extends 204
    ? undefined
    : Route['schema']['response'][Code] extends TSchema
      ? Static<Route['schema']['response'][Code]>
      : never;
}[keyof Route['schema']['response'] & (200 | 201 | 204)];

/** The longest body, in characters, that is sent with `keepalive`: browsers allow 64 KiB for all such requests together. */
const MAX_KEEPALIVE_LENGTH = 10_000;

/** The longest `Retry-After` to wait for, in milliseconds. Longer ones show the error. */
const MAX_WAIT_MS = 10_000;

/** The server answered with a problem document. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: Problem;
  /** `Retry-After` in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, retryAfterMs?: number) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer arrived: the network, the server, or a proxy between them failed. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly requestId: string;

  constructor(requestId: string, cause?: unknown) {
    super('The server cannot be reached.', { cause });
    this.requestId = requestId;
  }
}

/**
 * What is done about a 401: asks the person to sign in, for example.
 *
 * @returns Whether the request is to be sent again.
 */
export type Challenge = (problem: Problem) => Promise<boolean>;
let challenge: Challenge | undefined;

/** Says what is done about a 401. A module that signs people in calls it; without one the error reaches the screen. */
export function onUnauthorized(next: Challenge) {
  challenge = next;
}

const unreachableListeners = new Set<() => void>();

/** Calls `listener` whenever a request could not reach the server. @returns A function that unsubscribes. */
export function onUnreachable(listener: () => void) {
  unreachableListeners.add(listener);
  return () => unreachableListeners.delete(listener);
}

/** 128 random bits as hex; `crypto.randomUUID` is missing where a page is served without TLS. */
const newRequestId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );

const sleep = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

/** `Retry-After` in milliseconds, from seconds or a date. */
function retryAfterMs(response: Response) {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = Number(value);
  const wait = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

async function send(
  method: string,
  address: string,
  headers: Headers,
  body?: string,
  signal?: AbortSignal,
  keepalive = false,
) {
  const requestId = newRequestId();
  headers.set('X-Request-Id', requestId);
  const unreachable = (cause?: unknown) => {
    for (const listener of unreachableListeners) listener();
    return new UnreachableError(requestId, cause);
  };

  let response: Response;
  let text: string;
  try {
    response = await fetch(address, {
      method,
      headers,
      keepalive: keepalive && (body?.length ?? 0) <= MAX_KEEPALIVE_LENGTH,
      ...(body === undefined ? {} : { body }),
      ...(signal ? { signal } : {}),
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(error);
  }

  const json = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '');
  if (response.ok && text === '') return undefined;
  // A proxy without its server answers with HTML: treat it as unreachable.
  if (!json) throw unreachable(new Error(`${response.status} without JSON`));
  if (response.ok) return JSON.parse(text);
  throw new ApiError(JSON.parse(text) as Problem, retryAfterMs(response));
}

/**
 * Sends one request of the API. `method` and `url` are repeated as literals and checked against the contract, so that
 * a renamed route fails to compile here, while no schema is part of the bundle.
 *
 * A GET answered with 429 or 503 and `Retry-After` of at most 10 s is retried once. Writes are never retried, but after a 401
 * that `onUnauthorized` has settled: nothing was done yet.
 *
 * @param method The contract's method.
 * @param url The contract's path, with its `:parameters`.
 * @param options Parameters, query, headers and body as the contract defines them; `signal` cancels.
 * @returns The body of the success answer.
 * @throws {ApiError} The server answered with a problem document.
 * @throws {UnreachableError} No answer arrived.
 */
export async function request<Route extends Contract>(
  method: Route['method'],
  url: Route['url'],
  ...[options]: object extends Options<Route> ? [options?: Options<Route>] : [options: Options<Route>]
): Promise<Answer<Route>> {
  const {
    params,
    query,
    headers: given,
    body: content,
    signal,
    keepalive,
  } = (options ?? {}) as {
    params?: Record<string, string | number>;
    query?: Record<string, unknown>;
    headers?: Record<string, string>;
    body?: unknown;
    signal?: AbortSignal;
    keepalive?: boolean;
  };
  const path = url.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(String(params?.[key])));
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === '') continue;
    // A list repeats its name; the schema makes the server read a single value as a list of one.
    for (const one of Array.isArray(value) ? value : [value]) search.append(key, String(one));
  }
  const address = search.size > 0 ? `${path}?${search}` : path;
  const body = content === undefined ? undefined : JSON.stringify(content);
  const headers = new Headers(given);
  headers.set('Accept', 'application/json');
  if (body !== undefined) headers.set('Content-Type', 'application/json');

  try {
    return await send(method, address, headers, body, signal, keepalive);
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 401 && (await challenge?.(error.problem)))
      return send(method, address, headers, body, signal, keepalive);
    const wait = error instanceof ApiError && [429, 503].includes(error.problem.status) && error.retryAfterMs;
    if (method !== 'GET' || typeof wait !== 'number' || wait > MAX_WAIT_MS) throw error;
    await sleep(wait, signal);
    return send(method, address, headers, body, signal);
  }
}

/**
 * The text to show for an error.
 *
 * @returns `title`, an optional `detail` with what to do, and the request id to quote to an operator.
 */
export function explain(error: unknown): { title: string; detail?: string; requestId?: string } {
  if (error instanceof ApiError) {
    const { title, detail, requestId } = error.problem;
    return { title, ...(detail === undefined ? {} : { detail }), requestId };
  }
  if (error instanceof UnreachableError) {
    return {
      title: 'The server cannot be reached',
      detail: 'Check your connection, then try again.',
      requestId: error.requestId,
    };
  }
  return { title: 'This did not work', detail: error instanceof Error ? error.message : String(error) };
}

/** The status of a problem document; undefined for other errors. */
export const statusOf = (error: unknown) => (error instanceof ApiError ? error.problem.status : undefined);

/**
 * The messages of a validation problem by field: its path within the body.
 *
 * @returns `{title: 'must not be empty'}` for an entry whose path is `/body/title`.
 */
export function fieldErrors(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  return Object.fromEntries(
    (error.problem.errors ?? []).map(({ path, message }) => [path.replace(/^\/?body\//, ''), message]),
  );
}
