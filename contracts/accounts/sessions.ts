import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { moment, orNull } from '../values.ts';
import { Id, nothing, userProblems } from './shared.ts';

export const Session = Type.Object(
  {
    id: Type.String(),
    current: Type.Boolean(),
    createdAt: moment,
    lastSeenAt: moment,
    expiresAt: moment,
    ipAddress: orNull(Type.String()),
    /** Such as "Firefox on Linux". */
    device: Type.String(),
    impersonatedBy: orNull(Type.String()),
  },
  { $id: 'AccountSession', title: 'AccountSession' },
);
export type Session = Static<typeof Session>;

export const listSessions = {
  method: 'GET',
  url: '/api/account/sessions',
  schema: {
    summary: 'Your sessions',
    response: { 200: Type.Object({ items: Type.Array(Session) }), ...userProblems },
  },
} as const;

export const endSession = {
  method: 'DELETE',
  url: '/api/account/sessions/:id',
  schema: {
    summary: 'End one of your sessions',
    params: Id,
    response: { 204: nothing, 404: Problem, ...userProblems },
  },
} as const;

export const endOtherSessions = {
  method: 'DELETE',
  url: '/api/account/sessions',
  schema: { summary: 'End all of your sessions but this one', response: { 204: nothing, ...userProblems } },
} as const;
