import { type IncomingMessage, ServerResponse } from 'node:http';

/**
 * Header lines that many answers have in common, checked and written out once.
 *
 * Node looks at each header of each answer: whether its name is a name, whether its value may be sent, and whether it means
 * something to Node itself. For a dozen constants that costs as much as all the rest of an answer.
 */
export class HeaderBlock {
  readonly headers: Readonly<Record<string, string>>;
  readonly lines: string;
  readonly names: ReadonlySet<string>;
  #notStored: HeaderBlock | undefined;
  readonly #without = new Map<string, string>();

  /**
   * @param headers Names in lower case, and none that Node acts upon, such as `content-length`.
   * @throws TypeError when a header may not be sent.
   */
  constructor(headers: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(headers)) {
      if (!/^[a-z0-9-]+$/.test(name) || !/^[\t\x20-\x7e]*$/.test(value) || NODE_ACTS_UPON.has(name)) {
        throw new TypeError(`'${name}: ${value}' cannot be sent as a constant header.`);
      }
    }
    this.headers = headers;
    this.names = new Set(Object.keys(headers));
    this.lines = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }

  /** The same for what is not to be kept by anyone. */
  get notStored(): HeaderBlock {
    this.#notStored ??= new HeaderBlock({ ...this.headers, 'cache-control': 'no-store' });
    return this.#notStored;
  }

  /** The lines without some of its own: an answer that has a header itself sends that one. */
  without(names: ReadonlySet<string>): string {
    // As many as there are combinations that routes use.
    const key = [...names].join();
    let lines = this.#without.get(key);
    if (lines === undefined) {
      const others = Object.entries(this.headers).filter(([name]) => !names.has(name));
      lines = new HeaderBlock(Object.fromEntries(others)).lines;
      this.#without.set(key, lines);
    }
    return lines;
  }
}

const NODE_ACTS_UPON = new Set([
  'connection',
  'content-disposition',
  'content-length',
  'date',
  'expect',
  'keep-alive',
  'set-cookie',
  'trailer',
  'transfer-encoding',
]);

/** Headers as Node takes them: an object, pairs, names and values in turn, or what `setHeader` has collected. */
type Headers = Record<string, unknown> | readonly (string | readonly string[])[] | null | undefined;

/**
 * What Node calls to put together the head of an answer. Its name and parameters are not documented, which is why
 * `takesBlocks` tries it out when this file is loaded.
 */
const storeHeader = (
  ServerResponse.prototype as unknown as { _storeHeader?: (firstLine: string, headers: Headers) => void }
)._storeHeader;

/** Node's response, which sends a block of headers as it is, and what is ASCII without encoding it. */
export class QuickResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** Sent with the other headers, of which one of the same name takes its place. */
  block: HeaderBlock | undefined = undefined;
  /** More header lines, well-formed ones, which nothing else sends. */
  lines = '';
  _storeHeader(firstLine: string, headers: Headers): void {
    const { block } = this;
    let start = firstLine + this.lines;
    if (block !== undefined) {
      const own = ownHeaders(block, headers);
      start += own === undefined ? block.lines : block.without(own);
    }
    storeHeader?.call(this, start, headers);
  }

  override end(...args: unknown[]): this {
    const [chunk, encoding] = args;
    // Head and body are one string to Node, and the encoding of the body is that of both. Latin-1 is copied, not encoded.
    if (typeof chunk === 'string' && encoding == null && Buffer.byteLength(chunk) === chunk.length) {
      args[1] = 'latin1';
    }
    return super.end(...(args as Parameters<ServerResponse['end']>));
  }
}

/** @returns The names that an answer has in common with a block; undefined where, as nearly always, there are none. */
function ownHeaders(block: HeaderBlock, headers: Headers): Set<string> | undefined {
  let own: Set<string> | undefined;
  // An object is what the usual answer has; that goes without a list of its names.
  if (!Array.isArray(headers)) {
    for (const name in headers)
      if (block.names.has(name.toLowerCase())) own = (own ?? new Set()).add(name.toLowerCase());
    return own;
  }
  const names = Array.isArray(headers[0])
    ? headers.map(([name]) => name)
    : headers.filter((_, i) => i % 2 === 0);
  const found = names.map((name) => name.toLowerCase()).filter((name) => block.names.has(name));
  return found.length > 0 ? new Set(found) : undefined;
}

/** Whether this version of Node puts a head together in the way that this file leans on. */
export const takesBlocks: boolean = (() => {
  try {
    const response = new QuickResponse({
      method: 'GET',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    } as IncomingMessage);
    response.block = new HeaderBlock({ 'x-tried': 'yes' });
    response.writeHead(200, { 'x-own': 'yes' });
    const head = (response as unknown as { _header: unknown })._header;
    return typeof head === 'string' && head.startsWith('HTTP/1.1 200 OK\r\nx-tried: yes\r\nx-own: yes\r\n');
  } catch {
    return false;
  }
})();

/** What of Fastify's reply is needed here. */
interface Reply {
  raw: ServerResponse;
  header(name: string, value: string): unknown;
  headers(values: Record<string, string>): unknown;
}

/** Gives an answer its constant headers: as a block where that is possible, else one by one. */
export function sendBlock(reply: Reply, block: HeaderBlock): void {
  const { raw } = reply;
  if (takesBlocks && raw instanceof QuickResponse) raw.block = block;
  else reply.headers(block.headers);
}

/** Says of an answer that nobody is to keep it, unless its route says otherwise. */
export function sendNotStored(reply: Reply): void {
  const { raw } = reply;
  if (raw instanceof QuickResponse && raw.block !== undefined) raw.block = raw.block.notStored;
  else reply.header('cache-control', 'no-store');
}

/**
 * Gives an answer a header that no route sends itself, and that is known to be well-formed, which saves Node's looking.
 *
 * @param value Printable ASCII.
 */
export function sendLine(reply: Reply, name: string, value: string): void {
  const { raw } = reply;
  if (takesBlocks && raw instanceof QuickResponse) raw.lines += `${name}: ${value}\r\n`;
  else reply.header(name, value);
}

/**
 * Writes the head of an answer that Fastify has no part in.
 *
 * @param more Sent besides the block, in whose stead where both have one.
 * @param name One more, with a value that is printable ASCII.
 */
export function writeHead(
  response: ServerResponse,
  status: number,
  block: HeaderBlock,
  more: Readonly<Record<string, string>>,
  name: string,
  value: string,
): void {
  if (takesBlocks && response instanceof QuickResponse) {
    response.block = block;
    response.lines = `${name}: ${value}\r\n`;
    response.writeHead(status, more);
  } else response.writeHead(status, { ...block.headers, ...more, [name]: value });
}
