import { useRouter } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { onUnauthorized } from '@/kit/lib/api.ts';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import type { Asked } from './challenge.ts';
import { loadMe } from './me.ts';

const parts = () => import('./lazy.ts');
const OverlayContent = lazy(async () => ({
  default: (await loadPart(async () => (await parts()).overlayContent())).OverlayContent,
}));

/** Over every screen: asks to sign in where a request was refused, and says when an operator acts as a user. */
export function Overlay() {
  const router = useRouter();
  const { me } = useVisitor();
  const [question, setQuestion] = useState<Asked>();
  useEffect(() => {
    onUnauthorized(async (problem) => {
      const { answer401 } = await loadPart(async () => (await parts()).challenge());
      return answer401(problem, setQuestion, router);
    });
    // The shell works without.
    loadMe().catch(() => {});
  }, [router]);
  return (
    (me?.impersonation || question) && (
      <Suspense>
        <OverlayContent me={me} question={question} />
      </Suspense>
    )
  );
}
