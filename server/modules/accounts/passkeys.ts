/** Passkeys, in a chunk of their own: `@simplewebauthn/server` is as large as all the rest of accounts. */
import { passkey } from '@better-auth/passkey';
import { APIError } from 'better-auth/api';
import { type AuthOptions, createAuth, refusal } from './auth.ts';

/** @returns better-auth with passkeys: the same as without, on the same rows. */
export function createPasskeyAuth(options: AuthOptions) {
  const { origin, appName } = options;
  /** A passkey stands for both factors, so who holds the device must have unlocked it. */
  const unlocked = (userVerified: boolean | undefined) => {
    if (!userVerified) throw new APIError('UNAUTHORIZED', { code: 'USER_NOT_VERIFIED' });
  };
  return createAuth(options, [
    passkey({
      rpID: new URL(origin).hostname,
      rpName: appName,
      origin,
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      registration: {
        afterVerification: async ({ verification }) => unlocked(verification.registrationInfo?.userVerified),
      },
      authentication: {
        afterVerification: async ({ verification }) => unlocked(verification.authenticationInfo.userVerified),
      },
      advanced: { webAuthnChallengeCookie: 'passkey' },
    }),
  ]);
}

export type PasskeyAuth = ReturnType<typeof createPasskeyAuth>;
export { refusal };
