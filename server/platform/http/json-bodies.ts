/**
 * Limits the depth of JSON bodies, and refuses keys that would set a prototype. Other media types are refused, plain text
 * included, which a form on a foreign page could send.
 *
 * It stands before the routes that take a body.
 */
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import { readBody } from './read-body.ts';

/** Recursive code, ours or a library's, overflows the stack at some thousands of levels. */
const MAX_DEPTH = 32;

/** Whether a value is nested deeper than so many levels. It recurses no further than these. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner));
}

export const jsonBodies = fp(async (app) => {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, payload, done) => {
    readBody(request, payload, (unread, bytes) => {
      if (unread) return done(unread);
      parse(request, bytes?.toString('utf8') ?? '', (malformed, body) => {
        if (!malformed && isDeeperThan(MAX_DEPTH, body)) {
          done(new ProblemError('bad-request', `The body is nested deeper than ${MAX_DEPTH} levels.`));
        } else done(malformed, body);
      });
    });
  });
});
