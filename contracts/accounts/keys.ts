import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { moment, orNull } from '../values.ts';
import { closed, Id, Name, nothing, userProblems } from './shared.ts';

/** A key of a user, for programs. It is sent as `Authorization: Bearer`. */
export const ApiKey = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    /** What it begins with: `flt_` and its id. */
    start: Type.String(),
    permissions: Type.Array(Type.String()),
    createdAt: moment,
    expiresAt: orNull(moment),
    lastUsedAt: orNull(moment),
  },
  { $id: 'ApiKey', title: 'ApiKey' },
);
export type ApiKey = Static<typeof ApiKey>;

/** The one time that the key itself is shown. */
const MadeKey = Type.Object({ key: Type.String(), apiKey: ApiKey }, { $id: 'MadeKey', title: 'MadeKey' });
export type MadeKey = Static<typeof MadeKey>;

export const listKeys = {
  method: 'GET',
  url: '/api/account/keys',
  schema: {
    summary: 'Your API keys',
    response: {
      200: Type.Object({
        items: Type.Array(ApiKey),
        /** What a key of yours may be allowed: the name of a permission, and what it means. */
        permissions: Type.Record(Type.String(), Type.String()),
      }),
      ...userProblems,
    },
  },
} as const;

export const makeKey = {
  method: 'POST',
  url: '/api/account/keys',
  schema: {
    summary: 'Make an API key. Needs a recent sign-in',
    body: Type.Object(
      {
        name: Name,
        permissions: Type.Array(Type.String({ maxLength: 100 }), { maxItems: 100, uniqueItems: true }),
        expiresInDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_650 })),
      },
      closed,
    ),
    response: { 200: MadeKey, 409: Problem, ...userProblems },
  },
} as const;

export const rotateKey = {
  method: 'POST',
  url: '/api/account/keys/:id/rotate',
  schema: {
    summary:
      'Make a key that takes the place of another, which ends after the overlap. Needs a recent sign-in',
    params: Id,
    body: Type.Object({ overlapHours: Type.Integer({ minimum: 0, maximum: 720, default: 24 }) }, closed),
    response: { 200: MadeKey, 404: Problem, 409: Problem, ...userProblems },
  },
} as const;

export const endKey = {
  method: 'DELETE',
  url: '/api/account/keys/:id',
  schema: {
    summary: 'End an API key at once',
    params: Id,
    response: { 204: nothing, 404: Problem, ...userProblems },
  },
} as const;
