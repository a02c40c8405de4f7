/** The screens that make an account: by oneself, by invitation, and the first operator's. */
import { Link } from '@tanstack/react-router';
import type { Me } from '#contracts/accounts/account.ts';
import { type Next, setUp, type signOut, signUp } from '#contracts/accounts/sign-in.ts';
import { Button, buttonVariants } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { request, statusOf } from '@/kit/lib/api.ts';
import { useIsDevelopment } from '@/kit/lib/connection.ts';
import { useAction } from '@/kit/lib/use-action.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { To, ToSignInCard, useNext, useToken, withMe } from './entry.tsx';
import { EmailField, EntryCard, EntryForm, Failed, PasswordField } from './entry-card.tsx';
import { loadMe } from './me.ts';
import { initialOf, ProfileFields, profileIn, requiredOf, withProfile } from './profile-fields.tsx';
import { TEXTS } from './texts.ts';

const haveOne = (
  <>
    Already have an account? <To to="/sign-in">Sign in</To>
  </>
);

/** The fields that make an account. @param invitation Its token, where there is one. */
function NewAccount({
  me: { offers },
  invitation,
  onNext,
}: {
  me: Me;
  invitation?: string;
  onNext: (next: Next['next'], email: string) => void;
}) {
  const profile = requiredOf(offers.profile);
  const form = useForm(withProfile(signUp, profile), {
    initial: initialOf(profile),
    async send({ name, email, password, ...more }) {
      const { next } = await request<typeof signUp>('POST', '/api/account/sign-up', {
        body: { name, email, password, profile: profileIn(more, profile), ...(invitation && { invitation }) },
      });
      onNext(next, email);
    },
  });
  return (
    <EntryForm of={form} action="Create account">
      <Field {...form.field('name')} label="Name" autoComplete="name" autoFocus />
      <EmailField of={form.field('email')} {...(invitation && { description: TEXTS.join.email })} />
      <PasswordField of={form.field('password')} isNew />
      <ProfileFields of={form} profile={profile} />
    </EntryForm>
  );
}

export const SignUpScreen = withMe(function SignUpScreen({ me }) {
  const { take, screen } = useNext();
  if (screen) return screen;
  if (me.offers.signUp === 'invitation')
    return <ToSignInCard title="By invitation" lead={`${TEXTS.signUp.closed} ${TEXTS.signUp.closedNext}`} />;
  return (
    <EntryCard title="Create your account" lead={haveOne}>
      <NewAccount me={me} onNext={take} />
    </EntryCard>
  );
});

export const JoinScreen = withMe(function JoinScreen({ me }) {
  const { take, screen } = useNext();
  const { token } = useToken();
  if (screen) return screen;
  if (token === undefined) return <ToSignInCard title={TEXTS.link.cut} lead={TEXTS.join.brokenNext} />;
  if (me.user) return <SignedIn {...me.user} />;
  return (
    <EntryCard
      title={`Join ${import.meta.env.APP_NAME}`}
      lead={
        <>
          {TEXTS.join.lead} {haveOne}
        </>
      }
    >
      <NewAccount me={me} invitation={token} onNext={take} />
    </EntryCard>
  );
});

/** An invitation was opened by a user who is signed in. */
function SignedIn({ name, email }: { name: string; email: string }) {
  const leave = useAction(async () => {
    await request<typeof signOut>('POST', '/api/account/sign-out');
    // The token stays in the address.
    location.reload();
  });
  return (
    <EntryCard title={TEXTS.join.signedIn} lead={TEXTS.join.signedInAs(name, email)}>
      <div className="space-y-3">
        <Button className="w-full" pending={leave.isPending || leave.isDone} onClick={leave.run}>
          Sign out and accept
        </Button>
        <Link to="/" className={`${buttonVariants({ variant: 'outline' })} w-full`}>
          Stay signed in
        </Link>
        <Failed error={leave.failure} />
      </div>
    </EntryCard>
  );
}

export const SetUpScreen = withMe(function SetUpScreen({ me }) {
  const isDevelopment = useIsDevelopment();
  const { take, screen } = useNext();
  const form = useForm(setUp, {
    async send(body) {
      const { next } = await request<typeof setUp>('POST', '/api/account/setup', {
        body: { ...body, key: body.key.trim() },
      }).catch(async (error: unknown) => {
        // 409: there is an operator by now, or an account with this address.
        if (statusOf(error) === 409) await loadMe();
        throw error;
      });
      take(next, body.email);
    },
  });
  if (screen) return screen;
  if (!me.offers.setup) return <ToSignInCard title={TEXTS.setUp.done} lead={TEXTS.setUp.doneNext} />;
  const { error, type: _, ...key } = form.field('key');
  return (
    <EntryCard title={TEXTS.setUp.title} lead={TEXTS.setUp.lead}>
      <EntryForm of={form} action="Create the first operator" wrong="This is not a key of this server.">
        <Field
          {...(key as object)}
          label="Operators’ key"
          type="password"
          autoComplete="off"
          description={isDevelopment ? TEXTS.setUp.keyInDevelopment : TEXTS.setUp.key}
          error={error}
          autoFocus
        />
        <Field {...form.field('name')} label="Name" autoComplete="name" />
        <EmailField of={form.field('email')} />
        <PasswordField of={form.field('password')} isNew />
      </EntryForm>
    </EntryCard>
  );
});
