/**
 * Answers the commonest request there is, for a small file, whole or unchanged, before Fastify makes objects of it.
 *
 * It answers byte for byte as the route would, which a test holds it to, and takes nothing on itself that has to be
 * decided: parts, HEAD, other hosts, a draining server, large files and everything else go the way of all requests.
 * Measured: of the time that such a request takes through all plugins, it needs a half.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Lifecycle } from '../../health/lifecycle.ts';
import type { Logger } from '../../logging/logger.ts';
import type {} from '../connections.ts';
import { addSize } from '../metrics.ts';
import { HeaderBlock, writeHead } from '../quick-response.ts';
import { requestId } from '../request-context.ts';
import type {} from '../security-headers.ts';
import { countedAs } from './client.ts';
import { chooseForm, type Form } from './resource.ts';

/** What the system's buffers take at once, in bytes; a larger answer may have to be followed (connections.ts). */
const LARGEST = 64 * 1_024;

export interface QuickFilesOptions {
  lifecycle: Lifecycle;
  /** Whether requests under any `Host` are answered; else each has to be looked at. */
  anyHost: boolean;
  hsts: string | false;
  /** Whether a peer is believed when it speaks of TLS. */
  trusts: (address: string | undefined) => boolean;
}

/**
 * A body up to this size, in bytes, goes out as one text with its head: to send two pieces costs more than to copy it.
 * Measured: with 2 KB a fifteenth less processor time, with 11 KB a tenth more.
 */
const MAX_TEXT_BYTES = 4 * 1_024;

/** The headers of one answer, but for the request's id. */
interface Head {
  block: HeaderBlock;
  /** Of a body, where there is one: Node wants to see it. */
  length: Readonly<Record<string, string>>;
}

/** @returns A listener that answers such requests, and hands on all others. */
export function quickFiles(app: FastifyInstance, options: QuickFilesOptions): RequestListener {
  const { lifecycle, anyHost, hsts, trusts } = options;
  const { routing, connections, files, observations } = app;
  if (files === undefined || !anyHost) return routing;
  // Who reads every request in the log wants these as well; and the level changes while the server runs.
  const log = app.log as Logger;
  let everyRequestIsLogged = log.isLevelEnabled('debug');
  log.on('level-change', () => {
    everyRequestIsLogged = log.isLevelEnabled('debug');
  });
  const headOf = (headers: Record<string, string>, tls: boolean): Head => {
    const { 'content-length': length, ...others } = headers;
    const overTls: Record<string, string> = tls && hsts ? { 'strict-transport-security': hsts } : {};
    const block = new HeaderBlock({ ...app.securityHeaders, ...overTls, ...others });
    return { block, length: length === undefined ? {} : { 'content-length': length } };
  };
  /** For each form: whole and unchanged, and both again over TLS. */
  const heads = new Map<Form, [Head, Head, Head, Head]>();
  const bodies = new Map<Form, Buffer | string>();
  for (const { identity, encoded } of files.values()) {
    for (const form of [identity, ...encoded.map(([, one]) => one)]) {
      if (form.body.length > LARGEST || heads.has(form)) continue;
      bodies.set(form, form.body.length > MAX_TEXT_BYTES ? form.body : form.body.toString('latin1'));
      heads.set(form, [
        headOf(form.headers, false),
        headOf(form.unchanged, false),
        headOf(form.headers, true),
        headOf(form.unchanged, true),
      ]);
    }
  }

  const known = new Map(
    [...files].map(([url, resource]) => {
      return [url, { resource, route: observations.routes.of('GET', countedAs(url)) }];
    }),
  );

  return (request, response) => {
    const found = request.method === 'GET' ? known.get(request.url as string) : undefined;
    if (found === undefined || everyRequestIsLogged || !isPlain(request) || lifecycle.state === 'draining') {
      routing(request, response);
      return;
    }
    const { headers, socket } = request;
    const { resource, route } = found;
    const form = chooseForm(resource, headers['accept-encoding'] as string | undefined);
    const ready = heads.get(form);
    const tag = headers['if-none-match'];
    const isSimple = ready !== undefined && (tag === undefined || tag === form.etag);
    const came = performance.now();
    // While an earlier answer on this connection is still being read, the reader may be a slow one.
    if (!isSimple || socket.writableLength > 0 || !connections.begin(request, response, came)) {
      routing(request, response);
      return;
    }
    // Of several the last is our proxy's.
    const proto = headers['x-forwarded-proto'] as string | undefined;
    const overTls = hsts !== false && proto?.endsWith('https') === true && trusts(socket.remoteAddress);
    const { block, length } = ready[(tag === undefined ? 0 : 1) + (overTls ? 2 : 0)] as Head;
    const status = tag === undefined ? 200 : 304;
    writeHead(response, status, block, length, 'x-request-id', requestId(request));
    // Latin-1 is what leaves each byte as it is.
    if (tag === undefined) response.end(bodies.get(form), 'latin1');
    else response.end();
    if (!observations.enabled) return;
    observations.request(route, response.statusCode, performance.now() - came);
    if (tag === undefined) addSize(route.sent, form.body.length);
  };
}

/** Whether its headers ask for no more than a file. */
function isPlain({ headers, rawHeaders }: IncomingMessage): boolean {
  return (
    headers.host !== undefined &&
    headers.range === undefined &&
    // A tag weighs more than a time, and browsers send both.
    (headers['if-modified-since'] === undefined || headers['if-none-match'] !== undefined) &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined &&
    rawHeaders.length <= 100
  );
}
