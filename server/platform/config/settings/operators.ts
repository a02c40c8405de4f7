import { INTERNAL_API_KEY_RULE, SESSION_SECRET_RULE, secrets } from '../secrets.ts';
import { inGroup, setting } from '../setting.ts';
import { boolean } from '../values.ts';

export const operators = inGroup('Secrets', {
  /** The first signs; empty: browser sign-in is off. */
  sessionSecrets: setting('SESSION_SECRET', secrets(SESSION_SECRET_RULE), {
    default: [],
    defaultText: 'made once in development; else unset: browser sign-in is off',
    madeInDevelopment: true,
    doc: 'Signs the cookies of browser sign-in. Of several the first signs and all are accepted, so that it can be rotated.',
  }),
  /** Empty: the operations pages and APIs are closed. */
  internalApiKeys: setting('INTERNAL_API_KEY', secrets(INTERNAL_API_KEY_RULE), {
    default: [],
    defaultText: 'made once in development; else unset: the operations pages and APIs are closed',
    madeInDevelopment: true,
    doc: 'Opens the operations pages and APIs. All of several are accepted, so that it can be rotated.',
  }),
  allowHttpSignIn: setting('ALLOW_HTTP_SIGN_IN', boolean, {
    default: false,
    doc: 'Let operators sign in over plain HTTP in production, where their key can be read in transit. Always allowed on loopback.',
  }),
});
