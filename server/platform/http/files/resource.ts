import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { negotiate } from '@fastify/accept-negotiator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../lib/problem.ts';

/** Content encodings, and the file name ending of each. */
export const ENCODINGS = { br: '.br', zstd: '.zst', gzip: '.gz' } as const;
export type Encoding = keyof typeof ENCODINGS;

/** One form of a resource: its bytes in one encoding, and the headers that go with them. */
export interface Form {
  body: Buffer;
  etag: string;
  headers: Record<string, string>;
  /** What a 304 repeats (RFC 9110, 15.4.5). */
  unchanged: Record<string, string>;
}

/** Content that does not change while the process lives. */
export interface Resource {
  identity: Form;
  /** Smallest first. */
  encodings: Encoding[];
  encoded: Partial<Record<Encoding, Form>>;
  /** When it was last modified, in milliseconds, rounded down to a second; undefined if unknown. */
  modifiedMs: number | undefined;
}

export interface ResourceParts {
  body: Buffer;
  type: string;
  cacheControl: string;
  /** Of the content, for entity tags; each encoding has its own tag. */
  hash: string;
  encoded?: Partial<Record<Encoding, Buffer>>;
  modified?: Date | undefined;
}

/** Prepares everything that does not depend on the request. */
export function makeResource(parts: ResourceParts): Resource {
  const { body, type, cacheControl, hash, encoded = {}, modified } = parts;
  const smaller = Object.entries(encoded) as [Encoding, Buffer][];
  const shared: Record<string, string> = { 'cache-control': cacheControl };
  if (smaller.length > 0) shared.vary = 'Accept-Encoding';
  if (modified) shared['last-modified'] = modified.toUTCString();
  const form = (bytes: Buffer, encoding?: Encoding): Form => {
    const etag = encoding ? `"${hash}-${encoding}"` : `"${hash}"`;
    const unchanged = { ...shared, etag };
    const headers: Record<string, string> = {
      ...unchanged,
      'content-type': type,
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
    };
    if (encoding) headers['content-encoding'] = encoding;
    return { body: bytes, etag, headers, unchanged };
  };
  return {
    identity: form(body),
    encodings: smaller.toSorted(([, a], [, b]) => a.length - b.length).map(([encoding]) => encoding),
    encoded: Object.fromEntries(smaller.map(([encoding, bytes]) => [encoding, form(bytes, encoding)])),
    modifiedMs: modified && Math.floor(modified.getTime() / 1_000) * 1_000,
  };
}

/** @returns A hash of content, for entity tags. */
export const hashOf = (content: Buffer): string =>
  createHash('sha256').update(content).digest('base64url').slice(0, 27);

/**
 * The answer of a route whose text is large and rarely requested: made by the first request, and compressed once, in the one
 * form that every client accepts. A call of `make` that failed is repeated by the next request.
 *
 * @returns To be spread into the options of the route.
 */
export function madeOnce(type: string, make: () => string | Promise<string>) {
  let made: Promise<Resource> | undefined;
  const resource = async () => {
    const body = Buffer.from(await make());
    const encoded = { gzip: await promisify(zlib.gzip)(body) };
    return makeResource({ body, type, cacheControl: 'no-cache', hash: hashOf(body), encoded });
  };
  return {
    serializerCompiler: () => JSON.stringify,
    async handler(request: FastifyRequest, reply: FastifyReply) {
      made ??= resource().catch((error) => {
        made = undefined;
        throw error;
      });
      return sendResource(await made, request, reply);
    },
  };
}

/** Answers GET and HEAD: with the smallest form that the client accepts, a range, or 304. */
export function sendResource(resource: Resource, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { headers } = request;
  // Ranges are of the plain bytes: a client may resume a download with another encoding.
  const range =
    headers.range === undefined ? undefined : readRange(headers.range, resource, headers['if-range']);
  const form = range === undefined ? chooseForm(resource, headers['accept-encoding']) : resource.identity;
  if (isUnchanged(resource, form, headers['if-none-match'], headers['if-modified-since'])) {
    return withHeaders(reply.code(304), form.unchanged).send();
  }
  if (range === undefined) return withHeaders(reply, form.headers).send(form.body);

  const { length } = form.body;
  if (range === 'unsatisfiable') {
    throw new ProblemError(
      'range-not-satisfiable',
      `The range is not within the ${length} bytes of this file.`,
      {
        headers: { 'content-range': `bytes */${length}` },
      },
    );
  }
  const [first, last] = range;
  return withHeaders(reply.code(206), form.headers)
    .headers({
      'content-range': `bytes ${first}-${last}/${length}`,
      'content-length': String(last - first + 1),
    })
    .send(form.body.subarray(first, last + 1));
}

/** Sets the headers. `Vary` is added to what stands there, such as the `Origin` of `cors.ts`. */
function withHeaders(reply: FastifyReply, headers: Record<string, string>): FastifyReply {
  const before = reply.getHeader('vary');
  reply.headers(headers);
  return before === undefined || headers.vary === undefined
    ? reply
    : reply.header('vary', `${before}, ${headers.vary}`);
}

/** @returns The smallest form among those that the client accepts most. */
function chooseForm({ identity, encodings, encoded }: Resource, header = ''): Form {
  const encoding = negotiate(header.toLowerCase(), encodings);
  return (encoding && encoded[encoding]) || identity;
}

function isUnchanged(
  { modifiedMs }: Resource,
  { etag }: Form,
  tags: string | undefined,
  since: string | undefined,
): boolean {
  // A tag is more precise than a time in seconds (RFC 9110, 13.2.2).
  if (tags !== undefined) {
    return tags === etag || tags.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));
  }
  return since !== undefined && modifiedMs !== undefined && Date.parse(since) >= modifiedMs;
}

/**
 * Reads a range of bytes.
 *
 * @returns First and last byte; `unsatisfiable`; or undefined, for the whole: for several ranges, for an invalid one, and when
 *   `If-Range` does not match.
 */
function readRange(
  header: string,
  { identity, modifiedMs }: Resource,
  ifRange: string | string[] | undefined,
): readonly [number, number] | 'unsatisfiable' | undefined {
  const [whole, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim()) ?? [];
  if (whole === undefined || (from === '' && to === '')) return undefined;
  if (ifRange !== undefined && ifRange !== identity.etag && Date.parse(String(ifRange)) !== modifiedMs)
    return undefined;
  const { length } = identity.body;
  const first = from === '' ? Math.max(0, length - Number(to)) : Number(from);
  const last = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1);
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  return first > last ? 'unsatisfiable' : [first, last];
}
