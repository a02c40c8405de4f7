import type { Readable } from 'node:stream';
import { errorCodes, type FastifyRequest } from 'fastify';

const { FST_ERR_CTP_BODY_TOO_LARGE: TooLarge, FST_ERR_CTP_INVALID_CONTENT_LENGTH: WrongLength } = errorCodes;

const NO_BYTES = Buffer.alloc(0);
/** What a body of unknown length has room for at first; the room doubles up to the limit of its route. In bytes. */
const FIRST_ROOM_BYTES = 16 * 1_024;

/**
 * Reads a body up to the limit of its route, in about as much memory as it has bytes.
 *
 * Fastify's own `parseAs` keeps every piece as it came, and a piece of one byte takes some hundred: a body that is sent in
 * such pieces holds a hundred times what it is counted for. So pieces are copied into one buffer.
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
  let body: Buffer = NO_BYTES;
  let length = 0;
  const end = (error: Error | null) => {
    payload.off('data', onData).off('end', onEnd).off('error', onError);
    if (error) done(error);
    else done(null, body.subarray(0, length));
  };
  const onData = (piece: Buffer) => {
    const total = length + piece.length;
    if (total > bodyLimit) return end(new TooLarge());
    // Most bodies come in one piece.
    if (length === 0 && total === announced) body = piece;
    else {
      if (total > body.length) {
        const room = announced >= total ? announced : Math.max(total, 2 * body.length, FIRST_ROOM_BYTES);
        const larger = Buffer.allocUnsafe(Math.min(room, bodyLimit));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      piece.copy(body, length);
    }
    length = total;
  };
  const onEnd = () => end(announced >= 0 && announced !== length ? new WrongLength() : null);
  const onError = (error: Error) => end(Object.assign(error, { statusCode: 400 }));
  if (announced > bodyLimit) done(new TooLarge());
  else payload.on('data', onData).on('end', onEnd).on('error', onError);
}
