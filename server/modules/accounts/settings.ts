import { inGroup, setting } from '../../platform/config/setting.ts';
import { choice, integer, text } from '../../platform/config/values.ts';

const DAY = 86_400;

export const accountsSettings = inGroup('Accounts', {
  accounts: {
    signUp: setting('SIGN_UP', choice('open', 'invitation'), {
      defaultText: '`open` in development, and in production with a mail provider; else `invitation`',
      doc: 'Who may sign up: everybody, or those who were invited. Without a mail provider nobody proves their address.',
    }),
    sessionMaxAgeSeconds: setting('SESSION_MAX_AGE', integer(300, 400 * DAY), {
      default: 7 * DAY,
      doc: 'How long a sign-in lasts, in seconds. A sign-in that is not to be remembered lasts a day at most.',
    }),
    sessionIdleSeconds: setting('SESSION_IDLE_TIMEOUT', integer(300, 400 * DAY), {
      default: 3 * DAY,
      doc: 'A session that was not used for so many seconds has ended.',
    }),
    requireMfa: setting('REQUIRE_MFA', choice('none', 'operators'), {
      default: 'none',
      doc: 'Who needs a second factor: with `operators` no screen for operators opens without one.',
    }),
    google: {
      clientId: setting('GOOGLE_CLIENT_ID', text('a client id'), {
        doc: 'Sign in with Google. Its redirect address is `PUBLIC_URL/api/auth/callback/google`.',
      }),
      clientSecret: setting('GOOGLE_CLIENT_SECRET', text('a secret'), {
        secret: 'value',
        doc: 'The secret of `GOOGLE_CLIENT_ID`.',
      }),
    },
    github: {
      clientId: setting('GITHUB_CLIENT_ID', text('a client id'), {
        doc: 'Sign in with GitHub. Its redirect address is `PUBLIC_URL/api/auth/callback/github`.',
      }),
      clientSecret: setting('GITHUB_CLIENT_SECRET', text('a secret'), {
        secret: 'value',
        doc: 'The secret of `GITHUB_CLIENT_ID`.',
      }),
    },
    oidc: {
      issuer: setting('OIDC_ISSUER', text('an address'), {
        doc: 'Sign in with any provider of OpenID Connect, such as `https://login.example.com/realms/main`. Its redirect address is `PUBLIC_URL/api/auth/callback/oidc`.',
      }),
      clientId: setting('OIDC_CLIENT_ID', text('a client id'), { doc: 'The client at `OIDC_ISSUER`.' }),
      clientSecret: setting('OIDC_CLIENT_SECRET', text('a secret'), {
        secret: 'value',
        doc: 'The secret of `OIDC_CLIENT_ID`.',
      }),
      name: setting('OIDC_NAME', text('a name'), {
        default: 'Single sign-on',
        doc: 'What stands on its button.',
      }),
    },
  },
});
