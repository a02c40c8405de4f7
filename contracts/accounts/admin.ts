import { type Static, Type } from 'typebox';
import { Page, PageQuery } from '../page.ts';
import { Problem } from '../problem.ts';
import { moment, orNull } from '../values.ts';
import { closed, Email, Id, nothing, userProblems } from './shared.ts';

/** A user, as operators see one. */
export const User = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    email: Type.String(),
    emailVerified: Type.Boolean(),
    roles: Type.Array(Type.String()),
    twoFactor: Type.Boolean(),
    createdAt: moment,
    lastSeenAt: orNull(moment),
    sessions: Type.Integer(),
    ban: orNull(Type.Object({ reason: Type.String(), since: moment, until: orNull(moment) })),
  },
  { $id: 'User', title: 'User' },
);
export type User = Static<typeof User>;
export const UserPage = Page(User);
export type UserPage = Static<typeof UserPage>;

const Roles = Type.Array(Type.String({ maxLength: 50 }), { maxItems: 20, uniqueItems: true });
/** PostgreSQL keeps none in a text. */
const withoutNul = '^[^\\u0000]*$';
const Reason = Type.String({
  minLength: 3,
  maxLength: 500,
  pattern: withoutNul,
  errorMessage: 'Say why, for who reads it later.',
});
const one = { 404: Problem, 409: Problem, ...userProblems } as const;

export const listUsers = {
  method: 'GET',
  url: '/api/admin/users',
  schema: {
    summary: 'Users, the newest first',
    querystring: Type.Object({
      ...PageQuery.properties,
      search: Type.Optional(
        Type.String({
          maxLength: 200,
          pattern: withoutNul,
          description: 'The beginning of a name or an address',
        }),
      ),
      role: Type.Optional(Type.String({ maxLength: 50, pattern: withoutNul })),
      state: Type.Optional(
        Type.Union([Type.Literal('active'), Type.Literal('banned'), Type.Literal('unverified')]),
      ),
    }),
    response: { 200: UserPage, ...userProblems },
  },
} as const;

export const readUser = {
  method: 'GET',
  url: '/api/admin/users/:id',
  schema: { summary: 'One user', params: Id, response: { 200: User, ...one } },
} as const;

export const listRoles = {
  method: 'GET',
  url: '/api/admin/roles',
  schema: {
    summary: 'Roles and what they allow',
    response: {
      200: Type.Object({
        roles: Type.Array(Type.Object({ name: Type.String(), permissions: Type.Array(Type.String()) })),
      }),
      ...userProblems,
    },
  },
} as const;

export const setRoles = {
  method: 'PUT',
  url: '/api/admin/users/:id/roles',
  schema: {
    summary: "Set a user's roles; nobody grants above their own. Needs a recent sign-in",
    params: Id,
    body: Type.Object({ roles: Roles }, closed),
    response: { 200: User, ...one },
  },
} as const;

export const banUser = {
  method: 'POST',
  url: '/api/admin/users/:id/ban',
  schema: {
    summary: 'Ban a user: every session and key stops working within a second. Needs a recent sign-in',
    params: Id,
    body: Type.Object({ reason: Reason, until: Type.Optional(moment) }, closed),
    response: { 200: User, ...one },
  },
} as const;

export const unbanUser = {
  method: 'DELETE',
  url: '/api/admin/users/:id/ban',
  schema: { summary: 'Lift a ban', params: Id, response: { 200: User, ...one } },
} as const;

export const endUserSessions = {
  method: 'DELETE',
  url: '/api/admin/users/:id/sessions',
  schema: { summary: 'End all sessions of a user', params: Id, response: { 204: nothing, ...one } },
} as const;

export const impersonate = {
  method: 'POST',
  url: '/api/admin/users/:id/impersonation',
  schema: {
    summary: 'Act as a user for 60 minutes; never as an operator. Needs a recent sign-in',
    params: Id,
    body: Type.Object({ reason: Reason }, closed),
    response: { 204: nothing, ...one },
  },
} as const;

export const endImpersonation = {
  method: 'DELETE',
  url: '/api/account/impersonation',
  schema: { summary: 'Stop acting as them', response: { 204: nothing, ...one } },
} as const;

export const Invitation = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    roles: Type.Array(Type.String()),
    createdAt: moment,
    expiresAt: moment,
    acceptedAt: orNull(moment),
  },
  { $id: 'Invitation', title: 'Invitation' },
);
export type Invitation = Static<typeof Invitation>;

export const listInvitations = {
  method: 'GET',
  url: '/api/admin/invitations',
  schema: {
    summary: 'Invitations that are open, the newest first',
    response: { 200: Type.Object({ items: Type.Array(Invitation) }), ...userProblems },
  },
} as const;

export const invite = {
  method: 'POST',
  url: '/api/admin/invitations',
  schema: {
    summary: 'Invite an address; the link is mailed, and shown once where no mail leaves',
    body: Type.Object({ email: Email, roles: Type.Optional(Roles) }, closed),
    response: {
      200: Type.Object({ invitation: Invitation, link: orNull(Type.String()) }),
      409: Problem,
      ...userProblems,
    },
  },
} as const;

export const endInvitation = {
  method: 'DELETE',
  url: '/api/admin/invitations/:id',
  schema: { summary: 'Take an invitation back', params: Id, response: { 204: nothing, ...one } },
} as const;
