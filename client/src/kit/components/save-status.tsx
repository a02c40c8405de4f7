import { ago, exactly } from '@/kit/lib/format.ts';
import type { SaveState } from '@/kit/lib/use-record.ts';
import { Button } from './button.tsx';

/**
 * Whether a record that saves itself is saved: "Saving…", "Saved just now", or why not. Only problems are announced. It is
 * as high as its bar, so that nothing moves.
 */
export const SaveStatus = ({ of, at }: { of: SaveState; at: string }) => (
  <div className="flex h-full min-w-0 grow items-center">
    {/* Always there, because screen readers announce only what changes within. */}
    <div aria-live="polite">
      {of.problem && (
        <p className={`line-clamp-3 text-xs leading-4 ${of.isKept ? 'text-degraded' : 'text-failing'}`}>
          {of.problem}
        </p>
      )}
    </div>
    {!of.problem && (
      <p className="truncate text-sm text-muted">
        {of.isDirty ? 'Saving…' : <time dateTime={at} title={exactly(at)}>{`Saved ${ago(at)}`}</time>}
      </p>
    )}
    {of.retry && (
      <Button variant="outline" size="sm" className="ml-2" onClick={of.retry}>
        Try again
      </Button>
    )}
  </div>
);
