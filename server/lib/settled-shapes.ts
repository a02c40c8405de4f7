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

/** Node sets two to seven more on them once they are in use; as many as that, and some for a version to come. */
const SET_LATER = Object.fromEntries([...'abcdefghij'].map((name) => [name, undefined]));

/** @param Response What the port makes its responses with. */
export function settleShapes(Response: new (request: IncomingMessage) => ServerResponse): void {
  const held: object[] = [];
  for (let i = 0; i < LOOKED_AT; i++) {
    const socket = new Socket();
    const request = new IncomingMessage(socket);
    request.httpVersionMajor = request.httpVersionMinor = 1;
    for (const made of [socket, request, new Response(request)]) held.push(Object.assign(made, SET_LATER));
  }
}
