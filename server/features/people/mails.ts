/** YOURS. The texts of the mails about accounts. The layout around them is the mail module's. */
import { html } from '../../platform/lib/html.ts';
import type { MailTemplate } from '../../platform/mailer.ts';

interface ToPerson {
  readonly name: string;
  readonly appUrl: string;
}
interface WithLink extends ToPerson {
  readonly url: string;
}

/** A mail with one link. @param validHours How long the link works; the mail is not sent later. */
const withLink = (
  name: string,
  validHours: number,
  subject: string,
  before: string,
  button: string,
  after: string,
): MailTemplate<WithLink> => ({
  name,
  validHours,
  write: (to) => ({
    subject,
    text: `Hello ${to.name},\n\n${before}\n\n${button}: ${to.url}\n\n${after}\n`,
    html: html`<p>Hello ${to.name},</p><p>${before}</p><p><a href="${to.url}">${button}</a></p><p>${after}</p>`,
  }),
});

/** A mail that only tells something. */
const notice = (name: string, subject: string, what: string): MailTemplate<ToPerson> => {
  const after = 'If this was not you, set a new password at once and end your other sessions:';
  return {
    name,
    write: (to) => ({
      subject,
      text: `Hello ${to.name},\n\n${what}\n\n${after} ${to.appUrl}/reset\n`,
      html: html`<p>Hello ${to.name},</p><p>${what}</p><p>${after} <a href="${to.appUrl}/reset">${to.appUrl}/reset</a></p>`,
    }),
  };
};

export const mails = {
  verify: withLink(
    'verify-email',
    24,
    'Verify your email address',
    'Verify that this is your address to finish signing up.',
    'Verify address',
    'The link works for 24 hours. If you have not signed up, ignore this email.',
  ),
  accountExists: withLink(
    'account-exists',
    24,
    'You already have an account',
    'Your address was used to sign up, and there is an account with it. Sign in as usual; if you have forgotten the password, set a new one.',
    'Set a new password',
    'If this was not you, you need not do anything.',
  ),
  reset: withLink(
    'reset-password',
    1,
    'Set a new password',
    'A new password was requested for your account.',
    'Set a new password',
    'The link works for an hour. If this was not you, ignore this email: your password stays as it is.',
  ),
  changeEmail: withLink(
    'change-email',
    24,
    'Verify your new address',
    'Verify that this is your new address.',
    'Verify address',
    'The link works for 24 hours. Until then your old address stays in use.',
  ),
  invitation: withLink(
    'invitation',
    72,
    'You are invited',
    'You are invited to make an account.',
    'Accept the invitation',
    'If you do not expect this, ignore this email.',
  ),
  emailChanged: notice(
    'email-changed',
    'Your address was changed',
    'Your account has a different address now.',
  ),
  passwordChanged: notice(
    'password-changed',
    'Your password was changed',
    'Your account has a new password.',
  ),
  twoFactorOff: notice(
    'two-factor-off',
    'Two-factor authentication is off',
    'From now on, your account is protected by the password alone.',
  ),
  passkeyAdded: notice('passkey-added', 'A passkey was added', 'Your account has a new passkey.'),
  accountErased: {
    name: 'account-erased',
    write: ({ name }) => ({
      subject: 'Your account is deleted',
      text: `Hello ${name},\n\nYour account and its data are deleted, as you asked.\n`,
      html: html`<p>Hello ${name},</p><p>Your account and its data are deleted, as you asked.</p>`,
    }),
  } satisfies MailTemplate<ToPerson>,
};
