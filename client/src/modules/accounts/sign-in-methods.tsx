import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Account, changeEmail, changePassword } from '#contracts/accounts/account.ts';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Form } from '@/kit/components/form.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { accountQuery, sessionsQuery } from './account-queries.ts';
import { EmailField, PasswordField } from './entry-card.tsx';
import { Section } from './pieces.tsx';
import { TEXTS } from './texts.ts';

/** A section whose form opens by a button. */
function useOpening() {
  const [isOpen, setOpen] = useState(false);
  const buttons = (form: { isSending: boolean }, action: string) => (
    <div className="flex gap-2">
      <Button type="submit" pending={form.isSending}>
        {action}
      </Button>
      <Button variant="ghost" onClick={() => setOpen(false)}>
        Cancel
      </Button>
    </div>
  );
  return { isOpen, setOpen, buttons };
}

export function EmailAddress({ account }: { account: Account }) {
  const { isOpen, setOpen, buttons } = useOpening();
  const [sentTo, setSentTo] = useState<string>();
  const form = useForm(changeEmail, {
    async send({ email }) {
      await request<typeof changeEmail>('POST', '/api/account/email', { body: { email } });
      setSentTo(email);
      setOpen(false);
    },
  });
  return (
    <Section
      title="Email"
      lead={TEXTS.email.lead}
      action={
        !isOpen && (
          <Button variant="outline" onClick={() => setOpen(true)} aria-label="Change email">
            Change
          </Button>
        )
      }
    >
      <p className="flex flex-wrap items-center gap-2 wrap-anywhere">
        {account.email}
        <Badge variant={account.emailVerified ? 'success' : 'warning'}>
          {account.emailVerified ? 'Verified' : 'Not verified'}
        </Badge>
      </p>
      <div role="status">
        {sentTo && !isOpen && <p className="mt-2 text-sm text-muted">{TEXTS.email.sent(sentTo)}</p>}
      </div>
      {isOpen && (
        <Form of={form} className="mt-4 max-w-sm space-y-4">
          <EmailField of={form.field('email')} label="New email" autoComplete="email" autoFocus />
          {buttons(form, 'Send the link')}
        </Form>
      )}
    </Section>
  );
}

export function Password({ account }: { account: Account }) {
  const { isOpen, setOpen, buttons } = useOpening();
  const client = useQueryClient();
  const form = useForm(changePassword, {
    async send({ password }) {
      await request<typeof changePassword>('POST', '/api/account/password', { body: { password } });
      setOpen(false);
      toast.success(TEXTS.changePassword.done);
      await Promise.all(
        [accountQuery, sessionsQuery].map(({ queryKey }) => client.invalidateQueries({ queryKey })),
      );
    },
  });
  return (
    <Section
      title="Password"
      lead={account.hasPassword ? TEXTS.changePassword.lead : TEXTS.changePassword.none}
      action={
        !isOpen && (
          <Button
            variant="outline"
            onClick={() => setOpen(true)}
            aria-label={account.hasPassword ? 'Change password' : 'Set a password'}
          >
            {account.hasPassword ? 'Change' : 'Set'}
          </Button>
        )
      }
    >
      {isOpen && (
        <Form of={form} className="max-w-sm space-y-4">
          {/* Password managers keep a password under a name. */}
          <input type="text" name="username" autoComplete="username" value={account.email} readOnly hidden />
          <PasswordField of={form.field('password')} label="New password" isNew autoFocus />
          {buttons(form, 'Set the password')}
        </Form>
      )}
    </Section>
  );
}
