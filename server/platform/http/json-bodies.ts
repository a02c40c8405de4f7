/**
 * Limits the depth of JSON bodies, and refuses keys that would set a prototype. Other media types are refused, plain text
 * included, which a form on a foreign page could send.
 *
 * It stands before the routes that take a body.
 */
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import { readBody } from '../lib/read-body.ts';

/** Recursive code, ours or a library's, overflows the stack at some thousands of levels. */
const MAX_DEPTH = 32;

/** Whether a JSON text is nested deeper than `maxDepth`. It takes one pass and no memory. */
export function isDeeperThan(maxDepth: number, json: string): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x22: // a string, in which brackets are text
        do {
          at = json.indexOf('"', at + 1);
          if (at === -1) return false;
        } while (isEscaped(json, at));
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > maxDepth) return true;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
    }
  }
  return false;
}

/** Whether an odd number of backslashes stands before a position. */
function isEscaped(json: string, at: number): boolean {
  let before = at;
  while (json.charCodeAt(before - 1) === 0x5c) before--;
  return (at - before) % 2 === 1;
}

export const jsonBodies = fp(async (app) => {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, payload, done) => {
    readBody(request, payload, (error, bytes) => {
      const body = bytes?.toString('utf8') ?? '';
      if (error) done(error);
      else if (isDeeperThan(MAX_DEPTH, body)) {
        done(new ProblemError('bad-request', `The body is nested deeper than ${MAX_DEPTH} levels.`));
      } else parse(request, body, done);
    });
  });
});
