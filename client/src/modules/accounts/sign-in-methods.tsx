import { useQueryClient } from '@tanstack/react-query';
import { type Account, changeEmail, changePassword } from '#contracts/accounts/account.ts';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Form } from '@/kit/components/form.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { accountQuery, sessionsQuery } from './account-queries.ts';
import { ActDialog, FormFooter, Section } from './components.tsx';
import { EmailField, PasswordField } from './entry-card.tsx';
import { TEXTS } from './texts.ts';

export const EmailAddress = ({ account }: { account: Account }) => (
  <Section
    title="Email"
    lead={TEXTS.email.lead}
    action={
      <ActDialog
        trigger={
          <Button variant="outline" aria-label="Change email">
            Change
          </Button>
        }
        title="Change your email"
        lead={TEXTS.email.how}
      >
        {(close) => <EmailForm onDone={close} />}
      </ActDialog>
    }
  >
    <p className="flex flex-wrap items-center gap-2 wrap-anywhere">
      {account.email}
      <Badge variant={account.emailVerified ? 'success' : 'warning'}>
        {account.emailVerified ? 'Verified' : 'Not verified'}
      </Badge>
    </p>
  </Section>
);

function EmailForm({ onDone }: { onDone: () => void }) {
  const form = useForm(changeEmail, {
    guard: false,
    async send({ email }) {
      await request<typeof changeEmail>('POST', '/api/account/email', { body: { email } });
      toast.success(TEXTS.email.sent(email));
      onDone();
    },
  });
  return (
    <Form of={form} className="space-y-4">
      <EmailField of={form.field('email')} label="New email" autoComplete="email" autoFocus />
      <FormFooter of={form} action="Send the link" />
    </Form>
  );
}

export const Password = ({ account }: { account: Account }) => {
  const action = account.hasPassword ? 'Change' : 'Set';
  const { lead, none } = TEXTS.changePassword;
  return (
    <Section
      title="Password"
      lead={account.hasPassword ? lead : none}
      action={
        <ActDialog
          trigger={
            <Button variant="outline" aria-label={`${action} password`}>
              {action}
            </Button>
          }
          title={`${action} your password`}
          lead={lead}
        >
          {(close) => <PasswordForm email={account.email} onDone={close} />}
        </ActDialog>
      }
    />
  );
};

function PasswordForm({ email, onDone }: { email: string; onDone: () => void }) {
  const client = useQueryClient();
  const form = useForm(changePassword, {
    guard: false,
    async send({ password }) {
      await request<typeof changePassword>('POST', '/api/account/password', { body: { password } });
      toast.success(TEXTS.changePassword.done);
      onDone();
      await Promise.all(
        [accountQuery, sessionsQuery].map(({ queryKey }) => client.invalidateQueries({ queryKey })),
      );
    },
  });
  return (
    <Form of={form} className="space-y-4">
      {/* Password managers keep a password under a name. */}
      <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
      <PasswordField of={form.field('password')} label="New password" isNew autoFocus />
      <FormFooter of={form} action="Set the password" />
    </Form>
  );
}
