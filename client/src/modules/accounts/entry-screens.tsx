/** The screens to come in by. Links of mails carry their token in the fragment, and each needs a press: a scanner uses nothing up. */
import { Link, useLocation, useRouter, useSearch } from '@tanstack/react-router';
import { type ComponentType, type ReactNode, useEffect, useState } from 'react';
import {
  type Me,
  type Next,
  resetPassword,
  sendReset,
  type sendVerification,
  setUp,
  signUp,
  verifyEmail,
} from '#contracts/accounts/account.ts';
import { Button, buttonVariants } from '@/kit/components/button.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { request, statusOf } from '@/kit/lib/api.ts';
import { useIsDevelopment } from '@/kit/lib/connection.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import {
  EmailField,
  EntryCard,
  EntryForm,
  Failed,
  linkClass,
  PasswordField,
  TextButton,
} from './entry-card.tsx';
import { goOn, loadMe } from './me.ts';
import { CodeForm, SignInForm } from './sign-in-form.tsx';
import { TEXTS } from './texts.ts';

/** Shows a screen once it is known what the server offers, or why it offers nothing. */
function withMe(Screen: ComponentType<{ me: Me }>): ComponentType {
  return function WithMe() {
    const { me, meFailure } = useVisitor();
    if (me?.closed) return <EntryCard title={TEXTS.closed} lead={me.closed} />;
    if (me) return <Screen me={me} />;
    return meFailure ? <ErrorState error={meFailure} onRetry={() => void loadMe().catch(() => {})} /> : null;
  };
}

const useReturnTo = () => (useSearch({ strict: false }) as { returnTo?: string }).returnTo;
const useToken = () => /^token=([\w.-]+)$/.exec(useLocation().hash)?.[1];

/** A link to another screen to come in by, which sends the person to the same place in the end. */
const To = ({ to, children }: { to: '/sign-in' | '/sign-up' | '/reset'; children: ReactNode }) => (
  <Link to={to} search={(before) => before} className={linkClass}>
    {children}
  </Link>
);
const ToSignIn = ({ children = 'Sign in' }: { children?: ReactNode }) => (
  <Link to="/sign-in" search={(before) => before} className={`${buttonVariants()} w-full`}>
    {children}
  </Link>
);

const ToSignInCard = (props: { title: string; lead: string }) => (
  <EntryCard {...props}>
    <ToSignIn />
  </EntryCard>
);

/** What comes after a form: the screen that the person wanted, the second step, or the mailbox. */
function useNext() {
  const returnTo = useReturnTo();
  const [step, setStep] = useState<{ next: Next['next']; email: string }>();
  const take = (next: Next['next'], email = '') =>
    next === 'done' ? goOn(returnTo) : setStep({ next, email });
  const screen =
    step?.next === 'two-factor' ? (
      <EntryCard key="second" title="Second step">
        <CodeForm onNext={take} />
      </EntryCard>
    ) : (
      step?.next === 'verify' && (
        <Mailbox
          lead={TEXTS.mailbox.sent(step.email)}
          onBack={() => setStep(undefined)}
          again={() =>
            request<typeof sendVerification>('POST', '/api/account/verify/send', {
              body: { email: step.email },
            })
          }
        />
      )
    );
  return { take, screen, returnTo };
}

export const SignInScreen = withMe(function SignInScreen({ me }) {
  const { take, screen, returnTo } = useNext();
  const router = useRouter();
  const { error } = useSearch({ strict: false }) as { error?: string };
  const isSignedIn = me.user !== null;
  useEffect(() => {
    if (isSignedIn) goOn(returnTo);
  }, [isSignedIn, returnTo]);
  if (screen) return screen;
  const [, , wanted] = router.getMatchedRoutes(new URL(returnTo ?? '/', location.origin).pathname);
  const label = wanted?.options.staticData?.navigation?.label;
  return (
    <EntryCard
      title={`Sign in to ${import.meta.env.APP_NAME}`}
      lead={
        <>
          {returnTo && label && `${TEXTS.signIn.goOn(label)} `}
          {me.offers.signUp === 'open' ? (
            <>
              No account yet? <To to="/sign-up">Sign up</To>
            </>
          ) : (
            TEXTS.signUp.closed
          )}
        </>
      }
    >
      {error && (
        <div className="mb-4">
          <Failed error={new Error(TEXTS.signIn.provider)} />
        </div>
      )}
      <SignInForm returnTo={returnTo ?? '/'} onNext={take} />
    </EntryCard>
  );
});

const haveOne = (
  <>
    Already have an account? <To to="/sign-in">Sign in</To>
  </>
);

/** The fields that make an account. @param invitation Its token, where there is one. */
function NewAccount({
  invitation,
  onNext,
}: {
  invitation?: string;
  onNext: (next: Next['next'], email: string) => void;
}) {
  const form = useForm(signUp, {
    async send({ name, email, password }) {
      const { next } = await request<typeof signUp>('POST', '/api/account/sign-up', {
        body: { name, email, password, ...(invitation && { invitation }) },
      });
      onNext(next, email);
    },
  });
  return (
    <EntryForm of={form} action="Create account">
      <Field {...form.field('name')} label="Name" autoComplete="name" autoFocus />
      <EmailField of={form.field('email')} {...(invitation && { description: TEXTS.join.email })} />
      <PasswordField of={form.field('password')} isNew />
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
      <NewAccount onNext={take} />
    </EntryCard>
  );
});

export const JoinScreen = withMe(function JoinScreen() {
  const { take, screen } = useNext();
  const token = useToken();
  if (screen) return screen;
  if (token === undefined) return <ToSignInCard title={TEXTS.join.broken} lead={TEXTS.join.brokenNext} />;
  return (
    <EntryCard
      title={`Join ${import.meta.env.APP_NAME}`}
      lead={
        <>
          {TEXTS.join.lead} {haveOne}
        </>
      }
    >
      <NewAccount invitation={token} onNext={take} />
    </EntryCard>
  );
});

export const VerifyScreen = withMe(function VerifyScreen({ me }) {
  const token = useToken();
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
  const isBroken = token === undefined || [400, 401, 403, 404].includes(statusOf(form.failure) ?? 0);
  if (isBroken)
    return (
      <EntryCard title={TEXTS.verify.broken} lead={TEXTS.verify.brokenNext}>
        {me.user ? (
          <Link to="/account/{-$section}" params={{}} className={`${buttonVariants()} w-full`}>
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
  const token = useToken();
  return token === undefined ? <AskForReset /> : <NewPassword key={token} token={token} />;
});

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
      <Mailbox
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
  if ([400, 401, 403, 404].includes(statusOf(form.failure) ?? 0))
    return (
      <EntryCard title={TEXTS.verify.broken} lead={TEXTS.reset.brokenNext}>
        <Link to="/reset" hash="" className={`${buttonVariants()} w-full`}>
          Ask for a new link
        </Link>
      </EntryCard>
    );
  return (
    <EntryCard title={TEXTS.reset.newTitle} lead={TEXTS.reset.newLead}>
      <EntryForm of={form} action="Set the password">
        <PasswordField of={form.field('password')} label="New password" isNew />
      </EntryForm>
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

/** A mail is on its way. */
function Mailbox({
  lead,
  again,
  onBack,
}: {
  lead: string;
  again: () => Promise<unknown>;
  onBack: () => void;
}) {
  const isDevelopment = useIsDevelopment();
  const [state, setState] = useState<'sending' | 'sent'>();
  const [failure, setFailure] = useState<unknown>();
  const send = async () => {
    setState('sending');
    setFailure(undefined);
    try {
      await again();
      setState('sent');
    } catch (error) {
      setState(undefined);
      setFailure(error);
    }
  };
  return (
    <EntryCard
      title={TEXTS.mailbox.title}
      lead={
        <>
          {lead} <TextButton onClick={onBack}>Use another address</TextButton>
        </>
      }
    >
      <div className="space-y-4">
        {isDevelopment && (
          <div className="rounded-lg border bg-surface p-4 text-sm">
            <p className="text-muted">{TEXTS.mailbox.development}</p>
            <a href="/dev/mail" className={`${linkClass} mt-1 inline-block font-medium`}>
              Open the development mailbox
            </a>
          </div>
        )}
        <p className="text-sm text-muted">{TEXTS.mailbox.spam}</p>
        <Button variant="outline" className="w-full" pending={state === 'sending'} onClick={send}>
          Send it again
        </Button>
        <Failed error={failure} />
        <p role="status" className="min-h-5 text-sm text-muted">
          {state === 'sent' && TEXTS.mailbox.again}
        </p>
      </div>
    </EntryCard>
  );
}
