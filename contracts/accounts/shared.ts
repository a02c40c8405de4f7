import { Type } from 'typebox';
import { Problem } from '../problem.ts';

/** RFC 5321 allows 254 characters. That the address exists is shown by a mail alone. */
export const Email = Type.String({
  minLength: 3,
  maxLength: 254,
  // As module mail takes it: what it refuses would be an error of the server.
  pattern: '^[^\\s<>()[\\],;:\\\\"@\\p{C}]{1,64}@[^\\s<>()[\\],;:\\\\"@\\p{C}]+$',
  errorMessage: 'Enter an email address, such as ada@example.com.',
});

/** Length over composition (NIST SP 800-63B, 3.1.1.2): 12 characters or more, and none of the common ones. */
export const NewPassword = Type.String({
  minLength: 12,
  maxLength: 200,
  errorMessage: 'Use at least 12 characters.',
});
/** One that may be older than the rule for new ones. */
export const Password = Type.String({ minLength: 1, maxLength: 200, errorMessage: 'Enter your password.' });

export const Name = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '^[^\\u0000-\\u001f]*[^\\s\\u0000-\\u001f][^\\u0000-\\u001f]*$',
  errorMessage: 'Enter a name.',
});
/** From a link: it stands in the fragment of its address, and is sent by a form, so that a mail scanner uses nothing up. */
export const Token = Type.String({ minLength: 16, maxLength: 500, pattern: '^[\\w.-]+$' });
export const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, pattern: '^[\\w-]+$' }) });
export const nothing = Type.Null();

/** The problems of every route. 503: accounts are not configured; its detail says what to set. */
export const problems = { 400: Problem, 403: Problem, 429: Problem, 503: Problem } as const;
/** Those of a route for users. A 401 with `type: /problems/reauthenticate`: sign in once more, then send the same again. */
export const userProblems = { ...problems, 401: Problem } as const;

export const closed = { additionalProperties: false };
/** The adopter's schema checks it further. In a change, null removes a field (RFC 7396). */
export const Profile = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 50 });
export const post = { method: 'POST' } as const;

/** As WebAuthn's JSON forms have it: `PublicKeyCredentialCreationOptionsJSON` and its siblings. */
export const WebAuthn = Type.Record(Type.String(), Type.Unknown());
