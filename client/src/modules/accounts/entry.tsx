/** What the entry screens share: sign-in, sign-up, and what links of emails open. */
import { Link, useRouterState, useSearch } from '@tanstack/react-router';
import { type ComponentType, type ReactNode, useState } from 'react';
import type { Me } from '#contracts/accounts/account.ts';
import type { Next, sendVerification } from '#contracts/accounts/sign-in.ts';
import { buttonVariants } from '@/kit/components/button.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { request } from '@/kit/lib/api.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { CheckInbox } from './check-inbox.tsx';
import { EntryCard, linkClass } from './entry-card.tsx';
import { goOn, loadMe } from './me.ts';
import { CodeForm } from './sign-in-form.tsx';
import { TEXTS } from './texts.ts';

/** Shows a screen once it is known what the server offers, or why it offers nothing. */
export function withMe(Screen: ComponentType<{ me: Me }>): ComponentType {
  return function WithMe() {
    const { me, meFailure } = useVisitor();
    if (me?.closed) return <EntryCard title={TEXTS.closed} lead={me.closed} />;
    if (me) return <Screen me={me} />;
    return meFailure ? <ErrorState error={meFailure} onRetry={() => void loadMe().catch(() => {})} /> : null;
  };
}

const useReturnTo = () => (useSearch({ strict: false }) as { returnTo?: string }).returnTo;

/** The token of a link; undefined where the link is cut, as some mail programs do, or where there is none. */
export function useToken() {
  // `location` changes before the next screen has loaded, and `resolvedLocation` after it is drawn. The matches are of the
  // screen that is shown.
  const hash = useRouterState({
    select: ({ location, resolvedLocation = location, matches }) =>
      (matches.at(-1)?.pathname === location.pathname ? location : resolvedLocation).hash,
  });
  // As `Token` of contracts/accounts/shared.ts.
  return { hasLink: hash !== '', token: /^token=([\w.-]{16,500})$/.exec(hash)?.[1] };
}

/** A link to another entry screen, which keeps `returnTo`. */
export const To = ({ to, children }: { to: '/sign-in' | '/sign-up' | '/reset'; children: ReactNode }) => (
  <Link to={to} search={(before) => before} className={linkClass}>
    {children}
  </Link>
);
export const ToSignIn = ({ children = 'Sign in' }: { children?: ReactNode }) => (
  <Link to="/sign-in" search={(before) => before} className={`${buttonVariants()} w-full`}>
    {children}
  </Link>
);

export const ToSignInCard = (props: { title: string; lead: string }) => (
  <EntryCard {...props}>
    <ToSignIn />
  </EntryCard>
);

/** What comes after a form: the screen that the person wanted, the second step, or the mailbox. */
export function useNext() {
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
        <CheckInbox
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
