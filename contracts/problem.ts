import { type Static, Type } from 'typebox';

/**
 * The body of every error response (RFC 9457, `application/problem+json`).
 *
 * `type` is a stable identifier a program may switch on, relative to this server: `/problems/validation`;
 * `about:blank` if the status says everything.
 * Users quote `requestId` to an operator; log lines and `X-Request-Id` have the same id.
 */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'Stable identifier of the kind of problem' }),
    title: Type.String({ description: 'The kind of problem, in a few words' }),
    status: Type.Integer({ description: 'The HTTP status of this response' }),
    detail: Type.Optional(Type.String({ description: 'What happened this time, and what to do' })),
    instance: Type.String({ description: 'The requested path' }),
    requestId: Type.String({ description: 'Quote this to an operator' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.String({
            description: 'JSON Pointer to the value, prefixed by body, querystring or params',
          }),
          message: Type.String(),
        }),
        { description: 'For a validation problem: one entry for each invalid value' },
      ),
    ),
  },
  { $id: 'Problem', title: 'Problem' },
);
export type Problem = Static<typeof Problem>;
