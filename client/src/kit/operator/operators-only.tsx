import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect } from 'react';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { rememberOperator } from './operator.ts';
import { sessionQuery } from './session.ts';
import { SignIn, useTokenOfAddress } from './sign-in.tsx';

/**
 * Shows a screen to an operator who is signed in, and asks everyone else to sign in. The server decides: each route behind
 * the screen declares `access: 'operator'`. The screen is wrapped in `withServerData`, and asks through `forOperators`.
 *
 * @param props.title The heading while it asks.
 * @param props.about What the screen shows, and for whom.
 */
export function OperatorsOnly({
  title,
  about,
  children,
}: {
  title: string;
  about: string;
  children: ReactNode;
}) {
  const { data: session, error, refetch } = useQuery(sessionQuery);
  const token = useTokenOfAddress();
  const { isOperatorInPerson } = useVisitor();
  useEffect(() => {
    if (session) rememberOperator(session.signedIn);
  }, [session]);
  if (token.isPending) return null;
  if (session?.signedIn || isOperatorInPerson) return children;
  if (session) {
    const { closed, keyIn } = session;
    return <SignIn title={title} about={about} closed={closed} keyIn={keyIn} failed={token.error} />;
  }
  return error ? <ErrorState error={error} onRetry={refetch} /> : null;
}
