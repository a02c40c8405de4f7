import { type Static, Type } from 'typebox';
import { Problem } from './problem.ts';

/** The session of an operator: the browser exchanges the operators' key for a cookie of one hour. */
export const Session = Type.Object(
  {
    signedIn: Type.Boolean(),
    expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    /** Why no browser can sign in, and what to set. */
    closed: Type.Optional(Type.String()),
    /** In development: the file with the operators' key, such as `.data/secrets.json`. */
    keyIn: Type.Optional(Type.String()),
  },
  { $id: 'Session', title: 'Session' },
);
export type Session = Static<typeof Session>;

export const readSession = {
  method: 'GET',
  url: '/api/operations/session',
  schema: { summary: 'Whether this browser is signed in as an operator', response: { 200: Session } },
} as const;

export const signIn = {
  method: 'POST',
  url: '/api/operations/session',
  schema: {
    summary: "Exchange the operators' key, or a start-up token, for a cookie",
    body: Type.Object(
      {
        key: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000 })),
        token: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      },
      { additionalProperties: false },
    ),
    response: { 200: Session, 400: Problem, 401: Problem, 403: Problem, 429: Problem, 503: Problem },
  },
} as const;

export const signOut = {
  method: 'DELETE',
  url: '/api/operations/session',
  schema: { summary: 'Sign out', response: { 204: Type.Null() } },
} as const;
