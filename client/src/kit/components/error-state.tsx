import type { ReactNode } from 'react';
import { explain } from '@/kit/lib/api.ts';
import { Button } from './button.tsx';
import { CopyButton } from './copy-button.tsx';
import { Icon } from './icon.tsx';

/** The request id to quote to an operator, with a copy button. */
function RequestId({ id }: { id: string }) {
  return (
    <p className="flex items-center gap-1 text-sm text-muted">
      Request <code className="font-mono text-xs break-all">{id}</code>
      <CopyButton text={id} label="Copy the request id" />
    </p>
  );
}

/** Shown in place of a screen that failed: what happened, why, and what to do next. */
export function ErrorState({
  error,
  onRetry,
  children,
}: {
  error: unknown;
  onRetry?: () => void;
  children?: ReactNode;
}) {
  const { title, detail, requestId } = explain(error);
  return (
    <div role="alert" className="mx-auto flex max-w-md flex-col items-start gap-3 px-4 py-12">
      <Icon name="alert" className="size-6 text-failing" />
      <h2 className="text-lg">{title}</h2>
      {detail && <p className="text-muted">{detail}</p>}
      <div className="flex flex-wrap gap-2">
        {onRetry && <Button onClick={onRetry}>Try again</Button>}
        {children}
      </div>
      {requestId && <RequestId id={requestId} />}
    </div>
  );
}

/** The same error, inline in a form or a pane. */
export function ErrorNote({ error }: { error: unknown }) {
  const { title, detail, requestId } = explain(error);
  return (
    <div role="alert" className="rounded-md border border-failing bg-surface px-3 py-2 text-sm">
      <p className="flex items-start gap-2 font-medium text-failing">
        <Icon name="alert" className="mt-0.5 size-4" />
        {title}
      </p>
      {detail && <p className="mt-1">{detail}</p>}
      {requestId && <RequestId id={requestId} />}
    </div>
  );
}
