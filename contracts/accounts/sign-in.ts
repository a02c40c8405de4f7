import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import {
  closed,
  Email,
  Name,
  NewPassword,
  nothing,
  Password,
  Profile,
  post,
  problems,
  Token,
  userProblems,
  WebAuthn,
} from './shared.ts';

/** What comes next after a form: `two-factor` asks for a code, `verify` for a look into the mailbox. */
const Next = Type.Object(
  { next: Type.Union([Type.Literal('done'), Type.Literal('two-factor'), Type.Literal('verify')]) },
  { $id: 'Next', title: 'Next' },
);
export type Next = Static<typeof Next>;

export const signUp = {
  ...post,
  url: '/api/account/sign-up',
  schema: {
    summary: 'Sign up. The answer is the same whether or not the address has an account',
    body: Type.Object(
      {
        name: Name,
        email: Email,
        password: NewPassword,
        profile: Type.Optional(Profile),
        invitation: Type.Optional(Token),
      },
      closed,
    ),
    response: { 200: Next, ...problems },
  },
} as const;

export const signIn = {
  ...post,
  url: '/api/account/sign-in',
  schema: {
    summary: 'Sign in with a password',
    body: Type.Object({ email: Email, password: Password, remember: Type.Optional(Type.Boolean()) }, closed),
    response: { 200: Next, ...userProblems },
  },
} as const;

export const signInWithCode = {
  ...post,
  url: '/api/account/sign-in/code',
  schema: {
    summary: 'The second step: a code of the authenticator app, or a recovery code, which is used up',
    body: Type.Object(
      { code: Type.String({ minLength: 6, maxLength: 40 }), recovery: Type.Optional(Type.Boolean()) },
      closed,
    ),
    response: { 200: Next, ...userProblems },
  },
} as const;

export const signInWithProvider = {
  ...post,
  url: '/api/account/sign-in/provider',
  schema: {
    summary: 'Where to send the browser to sign in with a provider',
    body: Type.Object(
      { provider: Type.String({ maxLength: 50 }), returnTo: Type.Optional(Type.String({ maxLength: 500 })) },
      closed,
    ),
    response: { 200: Type.Object({ url: Type.String() }), 404: Problem, ...problems },
  },
} as const;

export const signOut = {
  ...post,
  url: '/api/account/sign-out',
  schema: { summary: 'End this session', response: { 204: nothing, ...problems } },
} as const;

export const verifyEmail = {
  ...post,
  url: '/api/account/verify',
  schema: {
    summary: 'Verify an address by the token of a mail',
    body: Type.Object({ token: Token }, closed),
    response: { 200: Next, ...problems },
  },
} as const;

export const sendVerification = {
  ...post,
  url: '/api/account/verify/send',
  schema: {
    summary: 'Send the mail once more',
    body: Type.Object({ email: Email }, closed),
    response: { 204: nothing, ...problems },
  },
} as const;

export const sendReset = {
  ...post,
  url: '/api/account/reset/send',
  schema: {
    summary: 'Send a link that sets a new password. The answer is the same for every address',
    body: Type.Object({ email: Email }, closed),
    response: { 204: nothing, ...problems },
  },
} as const;

export const resetPassword = {
  ...post,
  url: '/api/account/reset',
  schema: {
    summary: 'Set a new password by the token of a mail; every session ends',
    body: Type.Object({ token: Token, password: NewPassword }, closed),
    response: { 204: nothing, ...problems },
  },
} as const;

export const beginPasskeySignIn = {
  ...post,
  url: '/api/account/sign-in/passkey/begin',
  schema: { summary: 'Begin to sign in with a passkey', response: { 200: WebAuthn, ...problems } },
} as const;

export const signInWithPasskey = {
  ...post,
  url: '/api/account/sign-in/passkey',
  schema: {
    summary: 'Sign in with a passkey',
    body: Type.Object({ response: WebAuthn }, closed),
    response: { 200: Next, ...userProblems },
  },
} as const;

/** Where there is no shell: while no operator exists, a key of `INTERNAL_API_KEY` makes the first one. */
export const setUp = {
  ...post,
  url: '/api/account/setup',
  schema: {
    summary: 'Create the first operator with a key of INTERNAL_API_KEY',
    body: Type.Object(
      {
        key: Type.String({ minLength: 1, maxLength: 1_000 }),
        name: Name,
        email: Email,
        password: NewPassword,
      },
      closed,
    ),
    response: { 200: Next, 409: Problem, ...userProblems },
  },
} as const;
