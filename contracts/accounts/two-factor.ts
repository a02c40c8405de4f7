import { Type } from 'typebox';
import { Problem } from '../problem.ts';
import { closed, nothing, post, userProblems } from './shared.ts';

export const beginTwoFactor = {
  ...post,
  url: '/api/account/two-factor',
  schema: {
    summary: 'Begin to set up an authenticator app. Needs a recent sign-in',
    response: {
      200: Type.Object({ uri: Type.String(), secret: Type.String() }),
      409: Problem,
      ...userProblems,
    },
  },
} as const;

const RecoveryCodes = Type.Object({ recoveryCodes: Type.Array(Type.String()) });

export const confirmTwoFactor = {
  ...post,
  url: '/api/account/two-factor/confirm',
  schema: {
    summary: 'Turn it on by a first code. Recovery codes are shown once',
    body: Type.Object({ code: Type.String({ minLength: 6, maxLength: 8 }) }, closed),
    response: { 200: RecoveryCodes, ...userProblems },
  },
} as const;

export const renewRecoveryCodes = {
  ...post,
  url: '/api/account/two-factor/recovery-codes',
  schema: {
    summary: 'Make new recovery codes; the old ones end. Needs a recent sign-in',
    response: { 200: RecoveryCodes, ...userProblems },
  },
} as const;

export const endTwoFactor = {
  method: 'DELETE',
  url: '/api/account/two-factor',
  schema: { summary: 'Turn it off. Needs a recent sign-in', response: { 204: nothing, ...userProblems } },
} as const;
