/**
 * Gives V8 what it needs to lay out connections, requests and responses well.
 *
 * V8 leaves room in an object for as many properties as its constructor's first seven objects turned out to have. In
 * between it may forget what they had: a full collection drops the layouts of objects that are gone, and at a start, with
 * single probes and much being loaded, there are many. Then later objects get next to no room, V8 gives up at a dozen
 * symbols outside of it (`kFastPropertiesSoftLimit`), and every request and every response is a hash table for as long as
 * the process lives: half as much work again for a small answer. So the first of each are made here, held side by side.
 *
 * It changes nothing but time. settled-shapes.test.ts says whether this version of Node still needs it.
 */
import { IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** What V8 looks at, and one more (`JSFunction::kSlackTrackingCounterStart`, `kGenerousAllocationCount`). */
const LOOKED_AT = 8;

/** Node sets so many properties more on them once they are in use, and perhaps one more in a version to come. */
const SET_LATER = { socket: 7 + 1, request: 1 + 1, response: 4 + 1 };

/** @param Response What the port makes its responses with. */
export function settleShapes(Response: new (request: IncomingMessage) => ServerResponse): void {
  const held: object[] = [];
  for (let i = 0; i < LOOKED_AT; i++) {
    const socket = new Socket();
    const request = new IncomingMessage(socket);
    request.httpVersionMajor = request.httpVersionMinor = 1;
    const response = new Response(request);
    const made: [object, more: number][] = [
      [socket, SET_LATER.socket],
      [request, SET_LATER.request],
      [response, SET_LATER.response],
    ];
    for (const [one, more] of made) {
      for (let n = 0; n < more; n++) Object.assign(one, { [`later${n}`]: undefined });
      held.push(one);
    }
  }
}
