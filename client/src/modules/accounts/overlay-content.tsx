import type { Me } from '#contracts/accounts/account.ts';
import type { Asked } from './challenge.ts';
import { Impersonation } from './impersonation.tsx';
import { Question } from './question.tsx';

/** What `Overlay` shows. */
export const OverlayContent = ({ me, question }: { me: Me | undefined; question: Asked | undefined }) => (
  <>
    {me?.impersonation && <Impersonation {...me.impersonation} name={me.user?.name ?? ''} />}
    {question && <Question {...question} />}
  </>
);
