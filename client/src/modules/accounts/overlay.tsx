import { useRouter } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useSyncExternalStore } from 'react';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { answer401s, asked, onAsked } from './challenge.ts';
import { loadMe } from './me.ts';

const Question = lazy(async () => ({
  default: (await loadPart(() => import('./question.tsx'))).Question,
}));
const Impersonation = lazy(async () => ({
  default: (await loadPart(() => import('./impersonation.tsx'))).Impersonation,
}));

/** Over every screen: asks to sign in where a request was refused, and says when an operator acts as a user. */
export function Overlay() {
  const router = useRouter();
  const { me } = useVisitor();
  const question = useSyncExternalStore(onAsked, asked, () => undefined);
  useEffect(() => {
    answer401s((returnTo) => router.navigate({ to: '/sign-in', search: { returnTo }, replace: true }));
    // The shell works without.
    loadMe().catch(() => {});
  }, [router]);
  return (
    <Suspense>
      {me?.impersonation && <Impersonation {...me.impersonation} name={me.user?.name ?? ''} />}
      {question && <Question {...question} />}
    </Suspense>
  );
}
