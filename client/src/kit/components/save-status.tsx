import { ago, exactly } from '@/kit/lib/format.ts';
import type { SaveState } from '@/kit/lib/use-record.ts';
import { Button } from './button.tsx';

/** Whether a record that saves itself is saved: "Saving…", "Saved just now", or why not. Only problems are announced. */
export const SaveStatus = ({ of: { isDirty, problem, retry }, at }: { of: SaveState; at: string }) => (
  <div className="flex min-w-0 grow items-center gap-2">
    <p
      aria-live="polite"
      className={problem ? 'line-clamp-3 text-xs leading-4 text-failing' : 'truncate text-sm text-muted'}
    >
      {problem}
    </p>
    {!problem && (
      <p className="truncate text-sm text-muted">
        {isDirty ? 'Saving…' : <time dateTime={at} title={exactly(at)}>{`Saved ${ago(at)}`}</time>}
      </p>
    )}
    {problem && retry && (
      <Button variant="outline" size="sm" onClick={retry}>
        Try again
      </Button>
    )}
  </div>
);
