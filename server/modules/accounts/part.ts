import type { Events, Identity, Part } from '../../platform/parts.ts';
import { adminRoutes } from './admin/admin-routes.ts';
import { impersonationRoutes } from './admin/impersonation-routes.ts';
import { invitationRoutes } from './admin/invitations.ts';
import { accountsFindings } from './findings.ts';
import { FirstOperator, setUpRoutes } from './first-operator.ts';
import { accountRoutes } from './flows/account-routes.ts';
import { sessionCookie } from './flows/cookies.ts';
import { passkeyRoutes } from './flows/passkey-routes.ts';
import { providerRoutes } from './flows/provider-routes.ts';
import { sessionRoutes } from './flows/session-routes.ts';
import { signInRoutes } from './flows/sign-in-routes.ts';
import { AccountThrottle } from './flows/throttle.ts';
import { twoFactorRoutes } from './flows/two-factor-routes.ts';
import { ApiKeys } from './keys/api-keys.ts';
import { keyRoutes } from './keys/routes.ts';
import { personalDataRoutes } from './personal-data.ts';
import { Roles } from './roles.ts';
import { type AccountOptions, AccountService } from './service.ts';
import { UserChanges } from './sessions/changes.ts';
import { accountsIdentity, inPerson } from './sessions/identity.ts';
import { SessionCheck } from './sessions/session-check.ts';

/**
 * Accounts: people sign up, in and out, by password, passkey or provider. Their routes call better-auth, which is loaded on the
 * first use; each request is recognised by a check of our own.
 *
 * @param options.people The adopter's files, `server/features/people/`.
 * @param options.events Their open streams are judged again when a session ends; without it after 15 s.
 */
export function createAccounts(
  options: AccountOptions & { readonly events?: Events },
): Part & { readonly identity: Identity } {
  const { config, database, db, listener, log, events, mail, people } = options;
  const changes = new UserChanges({ db, listener, events });
  const service = new AccountService(options, changes);
  const roles = new Roles(people.roles);
  const cookieName = sessionCookie(service.secure);
  const throttle = new AccountThrottle(service);
  const first = new FirstOperator(service);
  const check = new SessionCheck({
    db,
    log,
    changes,
    cookieName,
    secrets: config.sessionSecrets,
    idleSeconds: config.accounts.sessionIdleSeconds,
  });
  const requireVerified = service.verifies;
  const { rateLimit } = config;
  const keys = new ApiKeys({
    db,
    log,
    changes,
    roles,
    requireVerified,
    windowMs: rateLimit.windowMs,
    prefix: people.keyPrefix,
  });
  const identity = accountsIdentity({
    sessions: check,
    roles,
    cookieName,
    requireVerified,
    operatorsNeedSecondFactor: config.accounts.requireMfa === 'operators',
    keys,
  });
  return {
    name: 'accounts',
    identity,
    commands: { admin: first.command },
    startLink: () => first.startLink(),
    startHint: () => first.startHint(),
    async routes(app, brought) {
      service.use(app);
      roles.declare(brought.permissions);
      await app.register(inPerson);
      for (const routes of [
        signInRoutes,
        accountRoutes,
        sessionRoutes,
        twoFactorRoutes,
        passkeyRoutes,
        providerRoutes,
      ])
        await app.register(routes, { service, identity, throttle, first });
      await app.register(setUpRoutes, { service });
      await app.register(adminRoutes, { service, roles });
      await app.register(impersonationRoutes, { service, check });
      await app.register(invitationRoutes, { service, roles });
      await app.register(keyRoutes, { database, keys, permissions: brought.permissions, changes });
      await app.register(personalDataRoutes, { service, personalData: brought.personalData });
    },
    alertRules: service.figures.alertRules,
    metrics: service.figures.metrics,
    findings: accountsFindings({ platform: options, service, mail }),
    async end() {
      changes.end();
    },
  };
}
