import type { MailState } from '#contracts/mail.ts';

/** What the address of the screen holds after its `?`. */
export interface MailSearch {
  view?: 'suppressed';
  state?: MailState;
  template?: string;
}

/** Every state, in the order in which the screen shows them, with the word for it. */
export const STATES: Readonly<Record<MailState, string>> = {
  waiting: 'Waiting',
  sending: 'Sending',
  sent: 'Sent',
  failed: 'Failed',
  bounced: 'Bounced',
  complained: 'Complained',
  expired: 'Expired',
  held: 'Held',
  mailbox: 'Mailbox',
};

export const mailSearch = ({ view, state, template }: Record<string, unknown>): MailSearch => ({
  ...(view === 'suppressed' ? { view } : {}),
  ...(String(state) in STATES ? { state: state as MailState } : {}),
  ...(template === undefined ? {} : { template: String(template) }),
});
