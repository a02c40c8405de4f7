/**
 * Adds limits to what a JSON body may be: no deeper than anything needs, and no key that reaches for a prototype. Other
 * media types are refused, plain text included, which a form on a foreign page could send.
 *
 * It stands anywhere before the routes that take a body.
 */
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import { readBody } from '../lib/read-body.ts';

/** Recursive code, ours or a library's, meets the stack's end at some thousands of levels. */
const MAX_LEVELS = 32;

/** Whether a JSON text goes deeper than so many levels. Reads it once, and keeps nothing. */
export function isDeeperThan(levels: number, json: string): boolean {
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
        if (++depth > levels) return true;
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
      else if (isDeeperThan(MAX_LEVELS, body)) {
        done(new ProblemError('bad-request', `The body is nested deeper than ${MAX_LEVELS} levels.`));
      } else parse(request, body, done);
    });
  });
});
