import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { moment, orNull } from '../values.ts';
import { Email, form, Id, Name, NewPassword, nothing, Password, signedIn, Token } from './shared.ts';

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

/** What comes next after a form: `two-factor` asks for a code, `verify` for a look into the mailbox. */
const Next = Type.Object(
  { next: Type.Union([Type.Literal('done'), Type.Literal('two-factor'), Type.Literal('verify')]) },
  { $id: 'Next', title: 'Next' },
);
export type Next = Static<typeof Next>;

const closed = { additionalProperties: false };
/** The adopter's schema checks it further. In a change, null removes a field (RFC 7396). */
const Profile = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 50 });
const post = { method: 'POST' } as const;

export const readMe = {
  method: 'GET',
  url: '/api/me',
  schema: { summary: 'Who is signed in, and what is offered', response: { 200: Me, 503: Problem } },
} as const;

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
    response: { 200: Next, ...form },
  },
} as const;

export const signIn = {
  ...post,
  url: '/api/account/sign-in',
  schema: {
    summary: 'Sign in with a password',
    body: Type.Object({ email: Email, password: Password, remember: Type.Optional(Type.Boolean()) }, closed),
    response: { 200: Next, ...signedIn },
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
    response: { 200: Next, ...signedIn },
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
    response: { 200: Type.Object({ url: Type.String() }), 404: Problem, ...form },
  },
} as const;

export const signOut = {
  ...post,
  url: '/api/account/sign-out',
  schema: { summary: 'End this session', response: { 204: nothing, ...form } },
} as const;

export const verifyEmail = {
  ...post,
  url: '/api/account/verify',
  schema: {
    summary: 'Verify an address by the token of a mail',
    body: Type.Object({ token: Token }, closed),
    response: { 200: Next, ...form },
  },
} as const;

export const sendVerification = {
  ...post,
  url: '/api/account/verify/send',
  schema: {
    summary: 'Send the mail once more',
    body: Type.Object({ email: Email }, closed),
    response: { 204: nothing, ...form },
  },
} as const;

export const sendReset = {
  ...post,
  url: '/api/account/reset/send',
  schema: {
    summary: 'Send a link that sets a new password. The answer is the same for every address',
    body: Type.Object({ email: Email }, closed),
    response: { 204: nothing, ...form },
  },
} as const;

export const resetPassword = {
  ...post,
  url: '/api/account/reset',
  schema: {
    summary: 'Set a new password by the token of a mail; every session ends',
    body: Type.Object({ token: Token, password: NewPassword }, closed),
    response: { 204: nothing, ...form },
  },
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
    response: { 200: Type.Object({ recentUntil: moment }), ...signedIn },
  },
} as const;

export const readAccount = {
  method: 'GET',
  url: '/api/account',
  schema: { summary: 'Your account', response: { 200: Account, ...signedIn } },
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
    response: { 200: Account, ...signedIn },
  },
} as const;

export const changeEmail = {
  ...post,
  url: '/api/account/email',
  schema: {
    summary:
      'Change your address: it changes when the link in a mail to the new one is used. Needs a recent sign-in',
    body: Type.Object({ email: Email }, closed),
    response: { 204: nothing, ...signedIn },
  },
} as const;

export const changePassword = {
  ...post,
  url: '/api/account/password',
  schema: {
    summary: 'Set a new password; all other sessions end. Needs a recent sign-in',
    body: Type.Object({ password: NewPassword }, closed),
    response: { 204: nothing, ...signedIn },
  },
} as const;

export const beginTwoFactor = {
  ...post,
  url: '/api/account/two-factor',
  schema: {
    summary: 'Begin to set up an authenticator app. Needs a recent sign-in',
    response: { 200: Type.Object({ uri: Type.String(), secret: Type.String() }), 409: Problem, ...signedIn },
  },
} as const;

const RecoveryCodes = Type.Object({ recoveryCodes: Type.Array(Type.String()) });

export const confirmTwoFactor = {
  ...post,
  url: '/api/account/two-factor/confirm',
  schema: {
    summary: 'Turn it on by a first code. Recovery codes are shown once',
    body: Type.Object({ code: Type.String({ minLength: 6, maxLength: 8 }) }, closed),
    response: { 200: RecoveryCodes, ...signedIn },
  },
} as const;

export const renewRecoveryCodes = {
  ...post,
  url: '/api/account/two-factor/recovery-codes',
  schema: {
    summary: 'Make new recovery codes; the old ones end. Needs a recent sign-in',
    response: { 200: RecoveryCodes, ...signedIn },
  },
} as const;

export const endTwoFactor = {
  method: 'DELETE',
  url: '/api/account/two-factor',
  schema: { summary: 'Turn it off. Needs a recent sign-in', response: { 204: nothing, ...signedIn } },
} as const;

/** As WebAuthn's JSON forms have it: `PublicKeyCredentialCreationOptionsJSON` and its siblings. */
const WebAuthn = Type.Record(Type.String(), Type.Unknown());

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
    response: { 200: Type.Object({ items: Type.Array(Passkey) }), ...signedIn },
  },
} as const;

export const beginPasskey = {
  ...post,
  url: '/api/account/passkeys/begin',
  schema: {
    summary: 'Begin to add a passkey. Needs a recent sign-in',
    response: { 200: WebAuthn, ...signedIn },
  },
} as const;

export const addPasskey = {
  ...post,
  url: '/api/account/passkeys',
  schema: {
    summary: 'Add the passkey that the browser has made',
    body: Type.Object({ name: Name, response: WebAuthn }, closed),
    response: { 200: Passkey, ...signedIn },
  },
} as const;

export const removePasskey = {
  method: 'DELETE',
  url: '/api/account/passkeys/:id',
  schema: {
    summary: 'Remove a passkey. Needs a recent sign-in',
    params: Id,
    response: { 204: nothing, 404: Problem, ...signedIn },
  },
} as const;

export const beginPasskeySignIn = {
  ...post,
  url: '/api/account/sign-in/passkey/begin',
  schema: { summary: 'Begin to sign in with a passkey', response: { 200: WebAuthn, ...form } },
} as const;

export const signInWithPasskey = {
  ...post,
  url: '/api/account/sign-in/passkey',
  schema: {
    summary: 'Sign in with a passkey',
    body: Type.Object({ response: WebAuthn }, closed),
    response: { 200: Next, ...signedIn },
  },
} as const;

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
    response: { 200: Type.Object({ items: Type.Array(Session) }), ...signedIn },
  },
} as const;

export const endSession = {
  method: 'DELETE',
  url: '/api/account/sessions/:id',
  schema: {
    summary: 'End one of your sessions',
    params: Id,
    response: { 204: nothing, 404: Problem, ...signedIn },
  },
} as const;

export const endOtherSessions = {
  method: 'DELETE',
  url: '/api/account/sessions',
  schema: { summary: 'End all of your sessions but this one', response: { 204: nothing, ...signedIn } },
} as const;

export const exportAccount = {
  method: 'GET',
  url: '/api/account/export',
  schema: {
    summary: 'Everything that is kept of you, as one JSON file. Needs a recent sign-in',
    response: { 200: Type.Record(Type.String(), Type.Unknown()), ...signedIn },
  },
} as const;

export const eraseAccount = {
  ...post,
  url: '/api/account/erase',
  schema: {
    summary: 'Delete your account and your data, at once and for good. Needs a recent sign-in',
    body: Type.Object({ email: Email }, { ...closed, description: 'Your own, once more' }),
    response: { 204: nothing, 409: Problem, ...signedIn },
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
    response: { 200: Next, 409: Problem, ...signedIn },
  },
} as const;
