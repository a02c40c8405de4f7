/**
 * Keeps V8 from storing connections, requests and responses as hash tables, which costs half as much work again for a small
 * answer (docs/decisions/0021-room-for-requests.md).
 *
 * V8 reserves space in an object for as many properties as its constructor's first seven objects had. A full collection
 * between the seven drops the layouts of those that are gone; then later objects get hardly any space, and beyond a dozen
 * symbols outside of it (`kFastPropertiesSoftLimit`) V8 makes hash tables of them for as long as the process lives. So the
 * first of each are made here and held together.
 *
 * It changes nothing but time. settled-shapes.test.ts fails when Node no longer needs it; look again in 2027-05, with Node 26.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** The objects that V8 looks at, and one more (`JSFunction::kSlackTrackingCounterStart`, `kGenerousAllocationCount`). */
const OBJECTS = 8;

/** How many properties Node adds while they are in use, and one more for a later version. */
const SET_LATER = { socket: 7 + 1, request: 1 + 1, response: 4 + 1 };

export function settleShapes(): void {
  const held: object[] = [];
  for (let i = 0; i < OBJECTS; i++) {
    const socket = new Socket();
    const request = new IncomingMessage(socket);
    request.httpVersionMajor = request.httpVersionMinor = 1;
    const response = new ServerResponse(request);
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
