import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { ErrorGroup } from '#contracts/operations/log.ts';
import { buttonVariants } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { Code } from '@/kit/components/code.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { useLive } from './live.ts';
import { errorsQuery, refreshed } from './operations-queries.ts';
import { keeping } from './pieces.tsx';
import { moment, number } from './units.ts';

/** Errors by kind, latest first. Rows have a fixed height, so that nothing shifts. */
export function ErrorsScreen(): ReactNode {
  const { error: open, paused } = useSearch({ strict: false });
  const errors = useLive((live) => live.errors);
  const { data } = useQuery({ ...errorsQuery(open !== undefined), ...refreshed(paused) });
  const navigate = useNavigate();
  const show = (fingerprint: string | undefined) =>
    navigate({
      to: '.',
      search: (before) => ({ ...before, error: fingerprint }),
      replace: fingerprint === undefined,
    });

  if (!errors) {
    return (
      <div className="mt-5">
        <SkeletonRows rows={6} />
      </div>
    );
  }
  // The stack arrives after the rest.
  const chosen = [...(data?.errors ?? []), ...errors].find(({ fingerprint }) => fingerprint === open);
  return (
    <>
      <Panel
        title="Errors by kind"
        className="mt-5"
        note="Since this process started, latest first. What a caller did wrong is not among them."
      >
        {errors.length === 0 ? (
          <Empty icon="check" title="No errors">
            <p>Nothing has failed since this process started.</p>
          </Empty>
        ) : (
          <ul className="overflow-hidden rounded-md border bg-surface">
            {errors.map((group, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows keep their place, their content changes
              <li key={index} className="border-b last:border-b-0">
                <ErrorRow group={group} onOpen={() => show(group.fingerprint)} />
              </li>
            ))}
          </ul>
        )}
      </Panel>
      <Dialog open={chosen !== undefined} onOpenChange={() => show(undefined)}>
        <DialogContent title={chosen?.type ?? 'Error'}>{chosen && <Details group={chosen} />}</DialogContent>
      </Dialog>
    </>
  );
}

function ErrorRow({
  group: { type, message, count, route, lastSeen },
  onOpen,
}: {
  group: ErrorGroup;
  onOpen: () => void;
}) {
  return (
    <button
      type="button"
      onClick={onOpen}
      className="grid h-18 w-full grid-cols-[minmax(0,1fr)_4rem] items-center gap-x-4 px-4 text-left -outline-offset-2 transition-colors hover:bg-hover md:grid-cols-[minmax(0,1fr)_minmax(0,14rem)_8rem_4rem]"
    >
      <span className="min-w-0">
        <span className="line-clamp-2 text-sm wrap-anywhere">
          <span className="font-medium text-failing">{type}</span> {message}
        </span>
        <span className="block truncate font-mono text-xs text-muted md:hidden">
          {moment(lastSeen)}
          {route && ` · ${route}`}
        </span>
      </span>
      <span className="truncate font-mono text-xs text-muted max-md:hidden">
        {route ?? 'outside of a request'}
      </span>
      <span className="text-sm text-muted tabular-nums max-md:hidden">{moment(lastSeen)}</span>
      <span className="text-right text-sm tabular-nums">
        <span key={count}>{number(count)}</span>
        <span className="sr-only"> times</span>
      </span>
    </button>
  );
}

function Details({
  group: { message, count, firstSeen, lastSeen, route, requestId, stack },
}: {
  group: ErrorGroup;
}) {
  return (
    <>
      <p className="wrap-anywhere">{message}</p>
      <dl className="mt-3 grid grid-cols-[7rem_minmax(0,1fr)] gap-y-1 text-sm">
        {(
          [
            ['Times', number(count)],
            ['First', moment(firstSeen)],
            ['Last', moment(lastSeen)],
            ['Route', route ?? 'outside of a request'],
          ] as const
        ).map(([what, value]) => (
          <div key={what} className="contents">
            <dt className="text-muted">{what}</dt>
            <dd className="wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
      {stack && (
        <div className="mt-3">
          <Code label="Stack" text={stack} />
        </div>
      )}
      {requestId && (
        <div className="mt-4 flex flex-wrap items-center justify-between gap-2">
          <p className="flex items-center gap-1 text-sm text-muted">
            Last request <code className="font-mono text-xs break-all">{requestId}</code>
            <CopyButton text={requestId} label="Copy the request id" />
          </p>
          <Link to="/ops/logs" search={keeping({ requestId, level: 'trace' })} className={buttonVariants()}>
            Its lines in the log
          </Link>
        </div>
      )}
    </>
  );
}
