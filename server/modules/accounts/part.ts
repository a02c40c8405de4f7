import type { Identity, Part } from '../../platform/parts.ts';
import { accountRoutes } from './flows/account-routes.ts';
import { passkeyRoutes } from './flows/passkey-routes.ts';
import { providerRoutes } from './flows/provider-routes.ts';
import { signInRoutes } from './flows/sign-in-routes.ts';
import { twoFactorRoutes } from './flows/two-factor-routes.ts';
import { type AccountOptions, AccountService } from './service.ts';

/**
 * Accounts: people sign up, in and out, by password, passkey or provider. Their routes call better-auth, which is loaded on the
 * first use; each request is recognised by a check of our own.
 *
 * @param options.people The adopter's files, `server/features/people/`.
 */
export function createAccounts(options: AccountOptions): Part & { readonly identity: Identity } {
  const service = new AccountService(options);
  const identity: Identity = {
    async identify(request) {
      const session = await service.session(request);
      return session && { userId: session.userId };
    },
  };
  return {
    name: 'accounts',
    identity,
    async routes(app) {
      service.use(app);
      for (const routes of [signInRoutes, accountRoutes, twoFactorRoutes, passkeyRoutes, providerRoutes])
        await app.register(routes, { service });
    },
  };
}
