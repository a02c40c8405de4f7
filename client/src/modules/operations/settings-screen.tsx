import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import type { ReadinessItem } from '#contracts/operations/deployment.ts';
import { changeLogLevel } from '#contracts/operations/log.ts';
import { Button } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { clock } from '@/kit/lib/format.ts';
import { inputClass } from '@/kit/lib/styles.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { sessionQuery, useSignOut } from '@/kit/operator/session.ts';
import { configQuery, logLevelQuery, readinessQuery, useChangeLogLevel } from './operations-queries.ts';
import { LEVELS } from './operations-search.ts';
import { SpanChoice } from './pieces.tsx';

/** Settings, production readiness, and what can be changed at run time. */
export function SettingsScreen(): ReactNode {
  const { isPending } = useQuery(readinessQuery);
  // Fetched at once, but shown only after the list above it, whose length is unknown: it would shift.
  useQuery(configQuery);
  return (
    <>
      <div className="grid grid-cols-1 gap-x-8 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <Readiness />
        <div className="max-lg:order-first">
          <Level />
          <SignedIn />
        </div>
      </div>
      {!isPending && <Configuration />}
    </>
  );
}

const VERDICTS = {
  fail: { state: 'failing', word: 'Fails' },
  warn: { state: 'degraded', word: 'Warning' },
  pass: { state: 'ready', word: 'Passes' },
} as const;

const order = Object.keys(VERDICTS);

function Readiness() {
  const { data, error } = useQuery(readinessQuery);
  const count = (status: ReadinessItem['status']) =>
    data?.items.filter((item) => item.status === status).length ?? 0;
  return (
    <Panel
      title="Production readiness"
      className="mt-5"
      note={data ? `${count('fail')} to mend, ${count('warn')} to look at, ${count('pass')} in order.` : ''}
    >
      {error && !data ? (
        <ErrorNote error={error} />
      ) : !data ? (
        <SkeletonRows rows={12} />
      ) : (
        <ul className="rounded-md border bg-surface">
          {data.items
            .toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status))
            .map(({ name, title, status, detail, remedy }) => (
              <li
                key={name}
                className="gap-4 border-b px-4 py-3 last:border-b-0 md:grid md:grid-cols-[6rem_minmax(0,1fr)]"
              >
                <StateBadge state={VERDICTS[status].state}>{VERDICTS[status].word}</StateBadge>
                <div className="min-w-0 wrap-anywhere">
                  <p className="font-medium">{title}</p>
                  <p className="text-sm text-muted">{detail}</p>
                  {remedy && <p className="mt-1 text-sm">{remedy}</p>}
                </div>
              </li>
            ))}
        </ul>
      )}
    </Panel>
  );
}

const SPANS = [
  [5, '5 minutes'],
  [15, '15 minutes'],
  [60, '1 hour'],
  [480, '8 hours'],
] as const;

function Level() {
  const { data, error } = useQuery(logLevelQuery);
  const change = useChangeLogLevel();
  const form = useForm(changeLogLevel, { send: (body) => change.mutateAsync(body) });
  return (
    <Panel title="Log level" className="mt-5">
      <div className="min-h-52">
        {error && !data && <ErrorNote error={error} />}
        {data && (
          <Form key={data.level} of={form} className="space-y-3">
            <p className="text-sm" role="status">
              <span className="font-medium">{data.level}</span>
              {data.until === null
                ? ', as it is configured.'
                : ` until ${clock(data.until)}, then ${data.configured} again.`}
            </p>
            <div className="flex flex-wrap gap-3">
              <Choice label="Level" name="level" defaultValue={data.level}>
                {LEVELS.map((level) => (
                  <option key={level}>{level}</option>
                ))}
              </Choice>
              <SpanChoice spans={SPANS} defaultValue={15} />
            </div>
            <Button variant="outline" type="submit" pending={form.isSending}>
              Change
            </Button>
            <p className="text-sm text-muted">Applies to {data.scope}.</p>
          </Form>
        )}
      </div>
    </Panel>
  );
}

function SignedIn() {
  const { data: session } = useQuery(sessionQuery);
  const { mutate, isPending, error } = useSignOut();
  return (
    <Panel
      title="Signed in"
      className="mt-4"
      note={session?.expiresAt ? `Until ${clock(session.expiresAt)}, renewed by use.` : ''}
    >
      <Button variant="outline" disabled={isPending} onClick={() => mutate()}>
        Sign out
      </Button>
      {error && <ErrorNote error={error} />}
    </Panel>
  );
}

function Configuration() {
  const { data, error } = useQuery(configQuery);
  const [filter, setFilter] = useState('');
  const words = filter.trim().toLowerCase();
  const settings = data?.settings.filter(({ name, group, doc, value }) =>
    `${name} ${group} ${doc} ${value}`.toLowerCase().includes(words),
  );
  return (
    <Panel
      title="Configuration"
      note="In force in this process. Secrets are never shown."
      action={
        <input
          type="search"
          aria-label="Filter settings"
          placeholder="Filter"
          value={filter}
          onChange={({ target }) => setFilter(target.value)}
          className={`${inputClass} max-w-60 max-md:max-w-none`}
        />
      }
    >
      {error && !data ? (
        <ErrorNote error={error} />
      ) : !settings ? (
        <SkeletonRows rows={12} />
      ) : settings.length === 0 ? (
        <p className="text-sm text-muted">No setting has these words.</p>
      ) : (
        <Table
          caption="Configuration"
          minWidth={880}
          columns={[
            {
              header: 'Setting',
              width: '17rem',
              cell: ({ name }) => <code className="font-mono text-xs wrap-anywhere">{name}</code>,
            },
            {
              header: 'Value',
              width: '16rem',
              cell: ({ value }) =>
                value === null ? (
                  <span className="text-muted">not set</span>
                ) : (
                  <code className="font-mono text-xs wrap-anywhere">{value}</code>
                ),
            },
            { header: 'From', width: '8rem', cell: ({ origin }) => origin },
            { header: 'What it is', cell: ({ doc }) => <span className="text-muted">{doc}</span> },
          ]}
          rows={settings}
          rowKey={({ name }) => name}
        />
      )}
      <p className="sr-only" role="status">
        {words && settings ? `${settings.length} settings` : ''}
      </p>
    </Panel>
  );
}
