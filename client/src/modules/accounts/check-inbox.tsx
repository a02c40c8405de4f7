import { Button } from '@/kit/components/button.tsx';
import { useAction } from '@/kit/lib/use-action.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { EntryCard, Failed, linkClass, TextButton } from './entry-card.tsx';
import { TEXTS } from './texts.ts';

/** An email is on its way. */
export function CheckInbox({
  lead,
  again,
  onBack,
}: {
  lead: string;
  again: () => Promise<unknown>;
  onBack: () => void;
}) {
  const { isDevelopment, isDeveloper } = useVisitor();
  const { isPending, isDone, failure, run } = useAction(again);
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
            <p className="text-muted">
              {TEXTS.mailbox.development} {!isDeveloper && TEXTS.mailbox.operators}
            </p>
            {isDeveloper && (
              <a href="/dev/mail" className={`${linkClass} mt-1 inline-block font-medium`}>
                Open the development mailbox
              </a>
            )}
          </div>
        )}
        {/* As high as its longest text, so that the button stays in its place. */}
        <p role="status" className={`text-sm text-muted ${isDevelopment ? '' : 'min-h-10'}`}>
          {isDone ? TEXTS.mailbox.again : isDevelopment ? TEXTS.mailbox.missing : TEXTS.mailbox.spam}
        </p>
        <Button variant="outline" className="w-full" pending={isPending} onClick={run}>
          Send it again
        </Button>
        <Failed error={failure} />
      </div>
    </EntryCard>
  );
}
