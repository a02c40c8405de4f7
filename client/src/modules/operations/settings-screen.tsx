import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { changeLogLevel } from '#contracts/operations/log.ts';
import { Button } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { DataTable } from '@/kit/components/data-table.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { clock } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { sessionQuery, useSignOut } from '@/kit/operator/session.ts';
import { Loaded, SpanChoice, WithCode } from './components.tsx';
import { configQuery, logLevelQuery, readinessQuery, useChangeLogLevel } from './operations-queries.ts';
import { LEVELS } from './operations-search.ts';

/** Production readiness, configuration, and what can be changed at run time. It appears as a whole, so that nothing moves. */
export function SettingsScreen(): ReactNode {
  const queries = [useQuery(readinessQuery), useQuery(configQuery), useQuery(logLevelQuery)];
  if (queries.some(({ isPending }) => isPending)) return <Waiting />;
  return (
    <>
      <div className="grid grid-cols-1 gap-x-8 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <Readiness />
        <div className="max-lg:order-first">
          <Level />
          <SignedIn />
        </div>
      </div>
      <Configuration />
    </>
  );
}

const Waiting = () => (
  <div className="mt-17 grid grid-cols-1 gap-8 lg:grid-cols-[minmax(0,1fr)_20rem]">
    <SkeletonRows rows={16} />
    <div className="max-lg:order-first">
      <SkeletonRows rows={6} />
    </div>
  </div>
);

const VERDICTS = {
  fail: { state: 'failing', word: 'Failed' },
  warn: { state: 'degraded', word: 'Warning' },
  pass: { state: 'ready', word: 'Passed' },
} as const;

const ORDER = Object.keys(VERDICTS);

function Readiness() {
  const query = useQuery(readinessQuery);
  const count = (status: keyof typeof VERDICTS) =>
    query.data?.items.filter((item) => item.status === status).length ?? 0;
  return (
    <Panel
      title="Production readiness"
      className="mt-5"
      note={query.data && `${count('fail')} failed, ${count('warn')} warnings, ${count('pass')} passed.`}
    >
      <Loaded query={query}>
        {({ items }) => (
          <ul className="rounded-md border bg-surface">
            {items
              .toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status))
              .map(({ name, title, status, detail, remedy }) => (
                <li
                  key={name}
                  className="gap-4 border-b px-4 py-3 last:border-b-0 md:grid md:grid-cols-[6rem_minmax(0,1fr)]"
                >
                  <StateBadge state={VERDICTS[status].state}>{VERDICTS[status].word}</StateBadge>
                  <div className="min-w-0 wrap-anywhere">
                    <p className="font-medium">{title}</p>
                    <p className="text-sm text-muted">
                      <WithCode>{detail}</WithCode>
                    </p>
                    {remedy && (
                      <p className="mt-1 text-sm">
                        <WithCode>{remedy}</WithCode>
                      </p>
                    )}
                  </div>
                </li>
              ))}
          </ul>
        )}
      </Loaded>
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
  const change = useChangeLogLevel();
  const form = useForm(changeLogLevel, { send: (body) => change.mutateAsync(body) });
  return (
    <Panel title="Log level" className="mt-5">
      <Loaded query={useQuery(logLevelQuery)}>
        {({ level, configured, until }) => (
          <Form key={level} of={form} className="space-y-3">
            <p className="text-sm" role="status">
              <span className="font-medium">{level}</span>
              {until === null ? ', as configured.' : ` until ${clock(until)}, then ${configured} again.`}
            </p>
            <div className="flex flex-wrap gap-3">
              <Choice label="Level" name="level" defaultValue={level}>
                {LEVELS.map((level) => (
                  <option key={level}>{level}</option>
                ))}
              </Choice>
              <SpanChoice spans={SPANS} defaultValue={15} />
            </div>
            <Button variant="outline" type="submit" pending={form.isSending}>
              Change
            </Button>
            <p className="text-sm text-muted">Applies to this process only.</p>
          </Form>
        )}
      </Loaded>
    </Panel>
  );
}

function SignedIn() {
  const { data: session } = useQuery(sessionQuery);
  const { mutate, isPending, error } = useSignOut();
  return (
    <Panel
      title="Session"
      className="mt-4"
      note={session?.expiresAt ? `Ends at ${clock(session.expiresAt)} unless you use it.` : ''}
    >
      <Button variant="outline" pending={isPending} onClick={() => mutate()}>
        Sign out
      </Button>
      {error && <ErrorNote error={error} />}
    </Panel>
  );
}

function Configuration() {
  return (
    <Panel title="Configuration" note="In force in this process. Secrets are never shown.">
      <Loaded query={useQuery(configQuery)}>
        {({ settings }) => (
          <DataTable
            caption="Configuration"
            minWidth={880}
            columns={[
              {
                header: 'Setting',
                fixed: true,
                width: '17rem',
                value: ({ name, group, doc }) => `${name} ${group} ${doc}`,
                cell: ({ name }) => <code className="font-mono text-xs wrap-anywhere">{name}</code>,
              },
              {
                header: 'Value',
                width: '16rem',
                value: ({ value }) => value ?? '',
                cell: ({ value }) =>
                  value === null ? (
                    <span className="text-muted">Not set</span>
                  ) : (
                    <code className="font-mono text-xs wrap-anywhere">{value}</code>
                  ),
              },
              {
                header: 'Source',
                width: '8rem',
                value: ({ origin }) => origin,
                cell: ({ origin }) => origin,
              },
              {
                header: 'Description',
                cell: ({ doc }) => (
                  <span className="text-muted">
                    <WithCode>{doc}</WithCode>
                  </span>
                ),
              },
            ]}
            rows={settings}
            rowKey={({ name }) => name}
            empty="No settings match"
          />
        )}
      </Loaded>
    </Panel>
  );
}
