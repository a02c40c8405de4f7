import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import type { MailState, MailView } from '#contracts/mail.ts';
import { Button } from '@/kit/components/button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote, ErrorState } from '@/kit/components/error-state.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { type State, StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { ago, duration, exactly } from '@/kit/lib/format.ts';
import { usePages } from '@/kit/lib/use-pages.ts';
import { FindAddress, Pages, Recipient } from './components.tsx';
import { outboxQuery, useRetry } from './mail-queries.ts';
import { STATES } from './mail-search.ts';

const route = getRouteApi('/ops/mail');

const MARKS: Record<MailState, State> = {
  waiting: 'waiting',
  sending: 'waiting',
  sent: 'ready',
  mailbox: 'ready',
  failed: 'failing',
  bounced: 'failing',
  complained: 'failing',
  expired: 'degraded',
  held: 'draining',
};

/** The mails of one state, newest first. */
export function Outbox({ templates }: { templates: string[] }) {
  const { state, template } = route.useSearch();
  const navigate = route.useNavigate();
  const [address, setAddress] = useState('');
  const pages = usePages(`${state} ${template} ${address}`);
  const { data, error, refetch, isPlaceholderData } = useQuery(
    outboxQuery({ ...(state && { state }), ...(template && { template }) }, address, pages.cursor),
  );
  const retry = useRetry();
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <FindAddress onFind={setAddress} />
        <Choice
          label="Template"
          // Of fixed width, because templates are added while it is shown.
          className="max-w-48 min-w-48"
          hidden
          value={template ?? ''}
          onChange={({ target: { value } }) =>
            navigate({ search: (before) => ({ ...before, template: value || undefined }) })
          }
        >
          <option value="">All templates</option>
          {[...new Set([...templates, ...(template ? [template] : [])])].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Choice>
      </div>
      {retry.error && <ErrorNote error={retry.error} />}
      {data === undefined ? (
        error ? (
          <ErrorState error={error} onRetry={refetch} />
        ) : (
          <SkeletonRows rows={8} />
        )
      ) : data.items.length === 0 ? (
        state || template || address ? (
          <Empty icon="mail" title="No such emails" />
        ) : (
          <Empty icon="mail" title="No emails yet">
            <p>What the application sends is listed here for 30 days, without its content.</p>
          </Empty>
        )
      ) : (
        <div className={`space-y-3 transition-opacity ${isPlaceholderData ? 'opacity-60' : ''}`}>
          <Mails
            mails={data.items}
            isPending={retry.isPending}
            onRetry={({ id }) => retry.mutate(id, { onSuccess: () => toast('Trying again now') })}
          />
          <Pages of={pages} next={data.nextCursor} />
        </div>
      )}
    </div>
  );
}

/** Whether an operator may have it sent now. */
const canRetry = ({ state, attempts, expiresAt }: MailView) =>
  (state === 'failed' || (state === 'waiting' && attempts > 0)) && new Date(expiresAt).getTime() > Date.now();

/** Always a line, so that nothing moves when more is known. */
function whatHappened({ error, repeats, state, createdAt, expiresAt, endedAt }: MailView) {
  if (error) return error;
  if (repeats > 0) return 'May have arrived twice: an attempt ended without an answer';
  if (state === 'held' || state === 'waiting' || state === 'sending') return `Expires ${exactly(expiresAt)}`;
  if (state === 'mailbox') return 'Read it at /dev/mail';
  if (state === 'expired') return `Expired ${exactly(expiresAt)}`;
  return state === 'sent' && endedAt !== null
    ? `Sent within ${duration(new Date(endedAt).getTime() - new Date(createdAt).getTime())}`
    : '–';
}

function Mails({
  mails,
  isPending,
  onRetry,
}: {
  mails: MailView[];
  isPending: boolean;
  onRetry: (mail: MailView) => void;
}) {
  return (
    <Table<MailView>
      cards
      caption="Emails"
      minWidth={640}
      columns={[
        {
          header: 'State',
          width: '8rem',
          cell: ({ state }) => (
            <span key={state}>
              <StateBadge state={MARKS[state]}>{STATES[state]}</StateBadge>
            </span>
          ),
        },
        {
          header: 'Email',
          cell: (mail) => (
            <>
              <p className="flex flex-wrap items-center gap-x-3">
                <span className="font-medium wrap-anywhere">{mail.template}</span>
                <Recipient hash={mail.recipient} />
              </p>
              <p
                className={`wrap-anywhere sm:line-clamp-3 ${mail.error ? 'text-failing' : 'text-muted'}`}
                title={mail.error ?? undefined}
              >
                {whatHappened(mail)}
              </p>
            </>
          ),
        },
        {
          header: 'Written',
          width: '8.5rem',
          cell: ({ createdAt }) => <span title={exactly(createdAt)}>{ago(createdAt)}</span>,
        },
        {
          header: 'Attempts',
          width: '5.5rem',
          numeric: true,
          cell: ({ attempts }) => <Figure>{String(attempts)}</Figure>,
        },
        {
          header: 'Action',
          width: '6.5rem',
          cell: (mail) =>
            canRetry(mail) && (
              <Button
                variant="outline"
                disabled={isPending}
                onClick={() => onRetry(mail)}
                aria-label={`Retry email ${mail.id}, ${mail.template}`}
              >
                Retry
              </Button>
            ),
        },
      ]}
      rows={mails}
      rowKey={({ id }) => id}
    />
  );
}
