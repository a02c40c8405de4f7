import type { Readable } from 'node:stream';
import { errorCodes, type FastifyRequest } from 'fastify';

const { FST_ERR_CTP_BODY_TOO_LARGE: TooLarge, FST_ERR_CTP_INVALID_CONTENT_LENGTH: WrongLength } = errorCodes;

/** A piece from this size on is kept as it came; smaller ones are put together in blocks. In bytes. */
const MIN_PIECE_BYTES = 4 * 1_024;
const BLOCK_BYTES = 16 * 1_024;
const NO_BLOCK = Buffer.alloc(0);

/**
 * Reads a body up to the limit of its route, in about as much memory as it has bytes.
 *
 * Fastify's own `parseAs` keeps every piece as it came, and a piece of one byte takes some hundred: a body that is sent in
 * such pieces holds a hundred times what it is counted for.
 *
 * @param payload As a content type parser is handed it.
 * @param done Called once, with the body or with the same errors as Fastify's own.
 */
export function readBody(
  request: FastifyRequest,
  payload: Readable,
  done: (error: Error | null, body?: Buffer) => void,
): void {
  const { bodyLimit } = request.routeOptions;
  const announced = Number(request.headers['content-length']);
  const pieces = new Pieces();
  const end = (error: Error | null) => {
    payload.off('data', onData).off('end', onEnd).off('error', onError);
    if (error) done(error);
    else done(null, pieces.joined());
  };
  const onData = (piece: Buffer) => {
    if (pieces.length + piece.length > bodyLimit) end(new TooLarge());
    else pieces.add(piece);
  };
  const onEnd = () => end(announced >= 0 && announced !== pieces.length ? new WrongLength() : null);
  const onError = (error: Error) => end(Object.assign(error, { statusCode: 400 }));

  if (announced > bodyLimit) done(new TooLarge());
  else payload.on('data', onData).on('end', onEnd).on('error', onError);
}

class Pieces {
  length = 0;
  readonly #whole: Buffer[] = [];
  #block = NO_BLOCK;
  /** Where in the block the small pieces begin that are not in the list yet, and where they end. */
  #start = 0;
  #end = 0;

  add(piece: Buffer): void {
    // Most bodies come in one piece.
    if (this.length === 0 || piece.length >= MIN_PIECE_BYTES) {
      this.#closeBlock();
      this.#whole.push(piece);
    } else {
      if (this.#end + piece.length > this.#block.length) {
        this.#closeBlock();
        this.#block = Buffer.allocUnsafe(BLOCK_BYTES);
        this.#start = this.#end = 0;
      }
      this.#end += piece.copy(this.#block, this.#end);
    }
    this.length += piece.length;
  }

  joined(): Buffer {
    this.#closeBlock();
    const [first] = this.#whole;
    return first !== undefined && this.#whole.length === 1 ? first : Buffer.concat(this.#whole, this.length);
  }

  #closeBlock(): void {
    if (this.#end > this.#start) this.#whole.push(this.#block.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}
