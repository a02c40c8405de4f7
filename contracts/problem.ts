import { type Static, Type } from 'typebox';

/**
 * The body of every error answer (RFC 9457, `application/problem+json`).
 *
 * `type` is a stable identifier a program may switch on, relative to this server: `/problems/validation`;
 * `about:blank` where the status alone says what is wrong.
 * `requestId` is what a person quotes to an operator; the same id stands in the log line and in `X-Request-Id`.
 */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'Stable identifier of the kind of problem' }),
    title: Type.String({ description: 'The kind of problem, in a few words' }),
    status: Type.Integer({ description: 'The HTTP status of this answer' }),
    detail: Type.Optional(Type.String({ description: 'What happened this time, and what to do' })),
    instance: Type.String({ description: 'The path that was asked for' }),
    requestId: Type.String({ description: 'Quote this to an operator' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.String({
            description: 'JSON Pointer to the value, prefixed by where it stands: body, querystring, params',
          }),
          message: Type.String(),
        }),
        { description: 'For a validation problem: one entry for each value that was refused' },
      ),
    ),
  },
  { $id: 'Problem', title: 'Problem' },
);
export type Problem = Static<typeof Problem>;
