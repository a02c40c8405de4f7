import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import { type KeyboardEvent, type ReactNode, useEffect, useState } from 'react';
import type { MailboxItem } from '#contracts/mail.ts';
import { Button } from '@/kit/components/button.tsx';
import { InlineCode } from '@/kit/components/code.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { ListAndRecord } from '@/kit/components/list-and-record.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { statusOf } from '@/kit/lib/api.ts';
import { ago, exactly } from '@/kit/lib/format.ts';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { OperatorsOnly } from '@/kit/operator/operators-only.tsx';
import { sessionQuery } from '@/kit/operator/session.ts';
import { NotFound } from '@/kit/shell/not-found.tsx';
import { mailboxQuery } from './mailbox-queries.ts';

/** In pixels. A new mail moves the others by a transform, which is no layout shift. */
const ROW_PX = 72;

/** The mailbox of development: mails that a provider would send. */
export const MailboxScreen = withServerData(function MailboxScreen() {
  const { id } = useParams({ strict: false }) as { id?: string };
  const { data: session } = useQuery({ ...sessionQuery, enabled: false });
  const query = useInfiniteQuery(mailboxQuery(session?.signedIn ?? false));
  const mails = query.data?.pages.flatMap(({ items }) => items);

  if (statusOf(query.error) === 404) return <NotFound />;
  // 403: a user who is no operator.
  if ([401, 403].includes(statusOf(query.error) ?? 0)) {
    return (
      <OperatorsOnly
        title="Mailbox"
        about="Emails of this server in development, for operators and for people at this machine."
      >
        {null}
      </OperatorsOnly>
    );
  }
  return (
    <ListAndRecord
      listLabel="List of emails"
      recordLabel="Email"
      isOpen={id !== undefined}
      list={
        <>
          <div className="px-4 pt-4 pb-3">
            <ScreenHeading title="Mailbox" className="text-lg" />
            <p className="text-sm text-muted">Shown here instead of being sent.</p>
          </div>
          {mails ? (
            <Mails mails={mails}>
              {query.hasNextPage && (
                <Button
                  variant="outline"
                  className="m-4"
                  pending={query.isFetchingNextPage}
                  onClick={() => query.fetchNextPage()}
                >
                  Older emails
                </Button>
              )}
            </Mails>
          ) : query.error ? (
            <ErrorState error={query.error} onRetry={query.refetch} />
          ) : (
            <Loading />
          )}
        </>
      }
    >
      <Outlet />
      {id === undefined && mails && (
        <div className="grid justify-center pt-[25vh]">
          {mails.length > 0 ? <Empty icon="inbox" title="Choose an email to read it" /> : <NoMails />}
        </div>
      )}
    </ListAndRecord>
  );
});

function Mails({ mails, children }: { mails: MailboxItem[]; children: ReactNode }) {
  // Ages grow although no mail comes.
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((count) => count + 1), 60_000);
    return () => clearInterval(timer);
  }, []);
  if (mails.length === 0)
    return (
      <div className="md:hidden">
        <NoMails />
      </div>
    );

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a')];
    links[links.indexOf(document.activeElement as HTMLElement) + step]?.focus();
    event.preventDefault();
  };
  return (
    <div className="min-h-0 grow overflow-y-auto overscroll-contain border-t">
      <ul className="relative" style={{ height: mails.length * ROW_PX }} onKeyDown={onKeyDown}>
        {mails.map((mail, index) => (
          <li
            key={mail.id}
            className="absolute inset-x-0 top-0"
            style={{ height: ROW_PX, transform: `translateY(${index * ROW_PX}px)` }}
          >
            <Link
              to="/dev/mail/$id"
              params={{ id: String(mail.id) }}
              className="focus-inset flex h-full flex-col justify-center border-b px-4 transition-colors hover:bg-hover aria-[current=page]:bg-selected"
            >
              <Row mail={mail} />
            </Link>
          </li>
        ))}
      </ul>
      {children}
    </div>
  );
}

function Row({ mail: { subject, to, createdAt } }: { mail: MailboxItem }) {
  // Also its key: flush right, a longer text in the same element would count as moved.
  const when = ago(createdAt);
  return (
    <>
      <span className="flex items-baseline gap-3">
        <span className="grow truncate text-base font-medium">{subject}</span>
        <time
          key={when}
          dateTime={createdAt}
          title={exactly(createdAt)}
          className="shrink-0 text-xs text-muted"
        >
          {when}
        </time>
      </span>
      <span className="truncate text-sm text-muted">To {to}</span>
    </>
  );
}

const NoMails = () => (
  <Empty icon="inbox" title="No emails yet">
    <p>
      While no provider is set, what <InlineCode>mail.send</InlineCode> sends appears here at once.
    </p>
    <p>
      docs/recipes.md, <em>An email</em>, writes one.
    </p>
  </Empty>
);

const Loading = () => (
  <div aria-busy="true" className="border-t px-4">
    {Array.from({ length: 6 }, (_, row) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
      <div key={row} className="flex flex-col justify-center gap-2.5" style={{ height: ROW_PX }}>
        <Skeleton className="h-4 w-2/3" />
        <Skeleton className="h-3 w-1/2" />
      </div>
    ))}
  </div>
);
