import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { ErrorGroup } from '#contracts/operations/log.ts';
import { Badge } from '@/kit/components/badge.tsx';
import { buttonVariants } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { Code } from '@/kit/components/code.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { DescriptionList } from '@/kit/components/description-list.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { moment, number } from '@/kit/lib/format.ts';
import { keeping, Loaded } from './components.tsx';
import { useLive } from './live.ts';
import { errorsQuery } from './operations-queries.ts';
import { OUTSIDE } from './texts.ts';

/** Errors by kind, latest first. Rows are of one height and change their content, so that nothing moves. */
export function ErrorsScreen(): ReactNode {
  const { error: open } = useSearch({ strict: false });
  const errors = useLive((live) => live.errors);
  const { data } = useQuery({ ...errorsQuery, enabled: open !== undefined });
  const navigate = useNavigate();
  const show = (fingerprint: string | undefined) =>
    navigate({
      to: '.',
      search: (before) => ({ ...before, error: fingerprint }),
      replace: fingerprint === undefined,
    });
  // The stack comes a moment later than the rest.
  const chosen = [...(data?.errors ?? []), ...(errors ?? [])].find(({ fingerprint }) => fingerprint === open);
  return (
    <>
      <Panel
        title="Errors by kind"
        className="mt-5"
        note="Since this process started, latest first. Client errors are not included."
      >
        <Loaded query={{ data: errors, error: null, refetch: () => {} }}>
          {(errors) =>
            errors.length === 0 ? (
              <Empty icon="check" title="No errors">
                <p>Neither the log nor an answer has reported an error since this process started.</p>
              </Empty>
            ) : (
              <ul className="overflow-hidden rounded-md border bg-surface">
                {errors.map((group, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: places stay, what stands in them changes
                  <li key={index} className="border-b last:border-b-0">
                    <ErrorRow group={group} onOpen={() => show(group.fingerprint)} />
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Panel>
      <Dialog open={chosen !== undefined} onOpenChange={() => show(undefined)}>
        <DialogContent title={chosen?.type ?? 'Error'}>{chosen && <Details group={chosen} />}</DialogContent>
      </Dialog>
    </>
  );
}

function ErrorRow({
  group: { type, message, count, route, status, lastSeen },
  onOpen,
}: {
  group: ErrorGroup;
  onOpen: () => void;
}) {
  return (
    <button
      type="button"
      onClick={onOpen}
      className="grid h-18 w-full grid-cols-[minmax(0,1fr)_4rem] items-center gap-x-4 px-4 text-left -outline-offset-2 transition-colors hover:bg-hover md:grid-cols-[3rem_minmax(0,1fr)_minmax(0,16rem)_8rem_4rem]"
    >
      <span className="max-md:hidden">
        <Badge variant="destructive">{status ?? (route ? 500 : 'Log')}</Badge>
      </span>
      <span className="min-w-0">
        <span className="line-clamp-2 text-sm wrap-anywhere">
          <span className="font-medium text-failing">{type}</span> {message}
        </span>
        <span className="block truncate font-mono text-xs text-muted md:hidden">
          {[status, moment(lastSeen), route].filter(Boolean).join(' · ')}
        </span>
      </span>
      <span className="truncate font-mono text-xs text-muted max-md:hidden">{route ?? OUTSIDE}</span>
      <span key={lastSeen} className="text-sm text-muted tabular-nums max-md:hidden">
        {moment(lastSeen)}
      </span>
      <span className="text-right text-sm tabular-nums">
        <span key={count}>{number(count)}</span>
        <span className="sr-only"> times</span>
      </span>
    </button>
  );
}

function Details({
  group: { message, count, firstSeen, lastSeen, route, status, requestId, stack },
}: {
  group: ErrorGroup;
}) {
  return (
    <>
      <p className="wrap-anywhere">{message}</p>
      <div className="mt-3">
        <DescriptionList
          items={[
            ['Count', number(count)],
            ...(status === undefined ? [] : [['Status', String(status)] as [string, string]]),
            ['First seen', moment(firstSeen)],
            ['Last seen', moment(lastSeen)],
            ['Route', route ?? OUTSIDE],
          ]}
        />
      </div>
      {stack && <Code label="Stack" text={stack} />}
      {requestId && (
        <div className="mt-4 flex flex-wrap items-center justify-between gap-2">
          <p className="flex items-center gap-1 text-sm text-muted">
            Latest request <code className="font-mono text-xs break-all">{requestId}</code>
            <CopyButton text={requestId} label="Copy the request id" />
          </p>
          <Link to="/ops/logs" search={keeping({ requestId, level: 'trace' })} className={buttonVariants()}>
            Show in the log
          </Link>
        </div>
      )}
    </>
  );
}
