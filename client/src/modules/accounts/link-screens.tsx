/** What links of emails open. Their token is in the fragment, and each needs a press: a scanner uses nothing up. */
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { resetPassword, sendReset, verifyEmail } from '#contracts/accounts/sign-in.ts';
import { buttonVariants } from '@/kit/components/button.tsx';
import { request, statusOf } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { CheckInbox } from './check-inbox.tsx';
import { To, ToSignIn, ToSignInCard, useNext, useToken, withMe } from './entry.tsx';
import { EmailField, EntryCard, EntryForm, PasswordField } from './entry-card.tsx';
import { loadMe } from './me.ts';
import { TEXTS } from './texts.ts';

/** The token was used, has expired, or is none. */
const isRefused = (error: unknown) => [400, 401, 403, 404].includes(statusOf(error) ?? 0);

export const VerifyScreen = withMe(function VerifyScreen({ me }) {
  const { token } = useToken();
  const { take, screen } = useNext();
  const [isDone, setDone] = useState(false);
  const form = useForm(verifyEmail, {
    guard: false,
    initial: { token: token ?? '' },
    async send({ token }) {
      const { next } = await request<typeof verifyEmail>('POST', '/api/account/verify', { body: { token } });
      const { user } = await loadMe();
      // It may have been opened in a browser where nobody is signed in.
      if (next === 'done' && user === null) setDone(true);
      else take(next);
    },
  });
  if (screen) return screen;
  if (isDone) return <ToSignInCard title={TEXTS.verify.done} lead={TEXTS.verify.doneNext} />;
  const isCut = token === undefined;
  if (isCut || isRefused(form.failure))
    return (
      <EntryCard
        title={isCut ? TEXTS.link.cut : TEXTS.verify.broken}
        lead={isCut ? TEXTS.link.cutNext : me.user ? TEXTS.verify.brokenSignedIn : TEXTS.verify.brokenNext}
      >
        {me.user ? (
          <Link
            to="/account/{-$section}"
            params={{ section: 'sign-in' }}
            className={`${buttonVariants()} w-full`}
          >
            Your account
          </Link>
        ) : (
          <ToSignIn />
        )}
      </EntryCard>
    );
  return (
    <EntryCard title={TEXTS.verify.title} lead={TEXTS.verify.lead}>
      <EntryForm of={form} action="Verify my address" />
    </EntryCard>
  );
});

export const ResetScreen = withMe(function ResetScreen() {
  const { token, hasLink } = useToken();
  if (token !== undefined) return <NewPassword key={token} token={token} />;
  return hasLink ? <NewLink title={TEXTS.link.cut} lead={TEXTS.link.cutNext} /> : <AskForReset />;
});

const NewLink = (props: { title: string; lead: string }) => (
  <EntryCard {...props}>
    <Link to="/reset" hash="" className={`${buttonVariants()} w-full`}>
      Ask for a new link
    </Link>
  </EntryCard>
);

function AskForReset() {
  const [email, setEmail] = useState<string>();
  const send = (email: string) =>
    request<typeof sendReset>('POST', '/api/account/reset/send', { body: { email } });
  const form = useForm(sendReset, {
    guard: false,
    async send({ email }) {
      await send(email);
      setEmail(email);
    },
  });
  if (email !== undefined)
    return (
      <CheckInbox
        lead={TEXTS.mailbox.reset(email)}
        again={() => send(email)}
        onBack={() => setEmail(undefined)}
      />
    );
  return (
    <EntryCard
      title={TEXTS.reset.title}
      lead={
        <>
          {TEXTS.reset.lead} <To to="/sign-in">Back to sign-in</To>
        </>
      }
    >
      <EntryForm of={form} action="Send the link">
        <EmailField of={form.field('email')} autoFocus />
      </EntryForm>
    </EntryCard>
  );
}

function NewPassword({ token }: { token: string }) {
  const [isDone, setDone] = useState(false);
  const form = useForm(resetPassword, {
    guard: false,
    initial: { token },
    async send({ password }) {
      await request<typeof resetPassword>('POST', '/api/account/reset', { body: { token, password } });
      // All sessions have ended, that of this browser too.
      await loadMe();
      setDone(true);
    },
  });
  if (isDone) return <ToSignInCard title={TEXTS.reset.done} lead={TEXTS.reset.doneNext} />;
  if (isRefused(form.failure)) return <NewLink title={TEXTS.verify.broken} lead={TEXTS.reset.brokenNext} />;
  return (
    <EntryCard title={TEXTS.reset.newTitle} lead={TEXTS.reset.newLead}>
      <EntryForm of={form} action="Set the password">
        <PasswordField of={form.field('password')} label="New password" isNew />
      </EntryForm>
    </EntryCard>
  );
}
