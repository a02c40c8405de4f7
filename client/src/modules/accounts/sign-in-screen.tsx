import { useRouter, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { To, useNext, withMe } from './entry.tsx';
import { EntryCard, Failed } from './entry-card.tsx';
import { goOn } from './me.ts';
import { SignInForm } from './sign-in-form.tsx';
import { TEXTS } from './texts.ts';

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
