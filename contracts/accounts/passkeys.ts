import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { moment } from '../values.ts';
import { closed, Id, Name, nothing, post, userProblems, WebAuthn } from './shared.ts';

export const Passkey = Type.Object(
  { id: Type.String(), name: Type.String(), createdAt: moment, backedUp: Type.Boolean() },
  { $id: 'Passkey', title: 'Passkey' },
);
export type Passkey = Static<typeof Passkey>;

export const listPasskeys = {
  method: 'GET',
  url: '/api/account/passkeys',
  schema: {
    summary: 'Your passkeys',
    response: { 200: Type.Object({ items: Type.Array(Passkey) }), ...userProblems },
  },
} as const;

export const beginPasskey = {
  ...post,
  url: '/api/account/passkeys/begin',
  schema: {
    summary: 'Begin to add a passkey. Needs a recent sign-in',
    response: { 200: WebAuthn, ...userProblems },
  },
} as const;

export const addPasskey = {
  ...post,
  url: '/api/account/passkeys',
  schema: {
    summary: 'Add the passkey that the browser has made',
    body: Type.Object({ name: Name, response: WebAuthn }, closed),
    response: { 200: Passkey, ...userProblems },
  },
} as const;

export const removePasskey = {
  method: 'DELETE',
  url: '/api/account/passkeys/:id',
  schema: {
    summary: 'Remove a passkey. Needs a recent sign-in',
    params: Id,
    response: { 204: nothing, 404: Problem, ...userProblems },
  },
} as const;
