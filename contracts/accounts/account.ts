import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { moment, orNull } from '../values.ts';
import {
  closed,
  Email,
  Name,
  NewPassword,
  nothing,
  Password,
  Profile,
  post,
  userProblems,
} from './shared.ts';

export const Account = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    email: Type.String(),
    emailVerified: Type.Boolean(),
    /** Fields of the adopter's own. */
    profile: Type.Record(Type.String(), Type.Unknown()),
    roles: Type.Array(Type.String()),
    hasPassword: Type.Boolean(),
    twoFactor: Type.Boolean(),
    createdAt: moment,
  },
  { $id: 'Account', title: 'Account' },
);
export type Account = Static<typeof Account>;

/** Who is signed in in this browser, and what the screens may offer. */
export const Me = Type.Object(
  {
    user: orNull(
      Type.Object({
        id: Type.String(),
        name: Type.String(),
        email: Type.String(),
        emailVerified: Type.Boolean(),
      }),
    ),
    permissions: Type.Array(Type.String()),
    isOperator: Type.Boolean(),
    /** An operator acts as this user, until then. */
    impersonation: orNull(Type.Object({ by: Type.String(), until: moment })),
    /** Until then credentials may be changed without a further sign-in. */
    recentUntil: orNull(moment),
    /** Why nobody can sign in, and what to set. */
    closed: Type.Optional(Type.String()),
    offers: Type.Object({
      signUp: Type.Union([Type.Literal('open'), Type.Literal('invitation')]),
      /** Providers of OAuth: what stands on the button. */
      providers: Type.Array(Type.Object({ id: Type.String(), name: Type.String() })),
      passkeys: Type.Boolean(),
      twoFactor: Type.Boolean(),
      /** JSON Schema of the adopter's own fields. */
      profile: Type.Object({
        properties: Type.Record(Type.String(), Type.Unknown()),
        required: Type.Optional(Type.Array(Type.String())),
      }),
      /** No operator exists yet: `/setup` takes a key of `INTERNAL_API_KEY`. */
      setup: Type.Boolean(),
    }),
  },
  { $id: 'Me', title: 'Me' },
);
export type Me = Static<typeof Me>;

export const readMe = {
  method: 'GET',
  url: '/api/me',
  schema: { summary: 'Who is signed in, and what is offered', response: { 200: Me, 503: Problem } },
} as const;

export const reauthenticate = {
  ...post,
  url: '/api/account/reauthenticate',
  schema: {
    summary: 'Sign in once more, for what needs a recent sign-in',
    body: Type.Object(
      { password: Password, code: Type.Optional(Type.String({ minLength: 6, maxLength: 40 })) },
      closed,
    ),
    response: { 200: Type.Object({ recentUntil: moment }), ...userProblems },
  },
} as const;

export const readAccount = {
  method: 'GET',
  url: '/api/account',
  schema: { summary: 'Your account', response: { 200: Account, ...userProblems } },
} as const;

export const changeAccount = {
  method: 'PATCH',
  url: '/api/account',
  schema: {
    summary: 'Change your name and profile',
    body: Type.Object(
      {
        name: Type.Optional(Name),
        profile: Type.Optional(Profile),
      },
      { ...closed, minProperties: 1 },
    ),
    response: { 200: Account, ...userProblems },
  },
} as const;

export const changeEmail = {
  ...post,
  url: '/api/account/email',
  schema: {
    summary:
      'Change your address: it changes when the link in a mail to the new one is used. Needs a recent sign-in',
    body: Type.Object({ email: Email }, closed),
    response: { 204: nothing, ...userProblems },
  },
} as const;

export const changePassword = {
  ...post,
  url: '/api/account/password',
  schema: {
    summary: 'Set a new password; all other sessions end. Needs a recent sign-in',
    body: Type.Object({ password: NewPassword }, closed),
    response: { 204: nothing, ...userProblems },
  },
} as const;

export const exportAccount = {
  method: 'GET',
  url: '/api/account/export',
  schema: {
    summary: 'Everything that is kept of you, as one JSON file. Needs a recent sign-in',
    response: { 200: Type.Record(Type.String(), Type.Unknown()), ...userProblems },
  },
} as const;

export const eraseAccount = {
  ...post,
  url: '/api/account/erase',
  schema: {
    summary: 'Delete your account and your data, at once and for good. Needs a recent sign-in',
    body: Type.Object({ email: Email }, { ...closed, description: 'Your own, once more' }),
    response: { 204: nothing, 409: Problem, ...userProblems },
  },
} as const;
