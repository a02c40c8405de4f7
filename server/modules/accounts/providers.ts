/** Sign-in with a provider of OpenID Connect. It is asked for its addresses first, so it must be reachable. */
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { type Auth, type AuthOptions, createAuth, refusal } from './auth.ts';

const OIDC = 'oidc';

/** @returns better-auth with the provider of `OIDC_ISSUER`; undefined where it did not answer. */
export async function createOidcAuth(options: AuthOptions): Promise<Auth | undefined> {
  const { issuer = '', clientId = '', clientSecret = '' } = options.config.accounts.oidc;
  const auth = createAuth(options, [
    genericOAuth({
      config: [
        {
          providerId: OIDC,
          discoveryUrl: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
          clientId,
          clientSecret,
          scopes: ['openid', 'email', 'profile'],
          pkce: true,
          requireIdTokenVerification: true,
          // Some send a text, of which 'false' would be true.
          mapProfileToUser: ({ email_verified: verified }) => ({
            emailVerified: verified === true || verified === 'true',
          }),
        },
      ],
    }),
  ]);
  const { socialProviders } = await auth.$context;
  return socialProviders.some(({ id }) => id === OIDC) ? (auth as never) : undefined;
}

export { refusal };
