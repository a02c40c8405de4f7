import { useQuery } from '@tanstack/react-query';
import type { Dependency } from '#contracts/dependencies.ts';
import { Button } from '@/kit/components/button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { type State, StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { ago } from '@/kit/lib/format.ts';
import { dependenciesQuery, useDependencyAction } from './jobs-queries.ts';

const STATES: Record<Dependency['state'], readonly [State, string]> = {
  closed: ['ready', 'Called'],
  'half-open': ['degraded', 'On trial'],
  open: ['failing', 'Not called'],
  isolated: ['draining', 'Isolated'],
};

/** The services that this process calls, and their circuit breakers. */
export function Dependencies() {
  const { data } = useQuery(dependenciesQuery);
  const { mutate, isPending, error } = useDependencyAction();
  if (data === undefined) return null;
  if (data.dependencies.length === 0)
    return <Empty icon="check" title="No service was called by this process" />;
  return (
    <>
      {error && <ErrorNote error={error} />}
      <Table<Dependency>
        cards
        caption="Other services, as called by this process"
        minWidth={760}
        columns={[
          {
            header: 'Circuit breaker',
            width: '9rem',
            cell: ({ state }) => <StateBadge state={STATES[state][0]}>{STATES[state][1]}</StateBadge>,
          },
          {
            header: 'Service',
            width: '12rem',
            cell: ({ name }) => <span className="font-medium">{name}</span>,
          },
          {
            header: 'Under way',
            width: '7rem',
            numeric: true,
            cell: ({ running, limits }) => <span key={running}>{`${running} of ${limits.concurrency}`}</span>,
          },
          {
            header: 'Last error',
            cell: ({ lastError }) => (
              <p className="truncate" title={lastError?.message}>
                {lastError ? `${ago(lastError.at)}: ${lastError.message}` : 'None'}
              </p>
            ),
          },
          {
            header: 'Action',
            width: '13rem',
            cell: ({ name, state }) => (
              <div className="flex gap-2">
                <Button
                  variant="outline"
                  disabled={isPending || state === 'closed'}
                  onClick={() => mutate({ action: 'reset', name })}
                  aria-label={`Reset ${name}`}
                >
                  Reset
                </Button>
                <Button
                  variant="outline"
                  disabled={isPending || state === 'isolated'}
                  onClick={() => mutate({ action: 'isolate', name })}
                  aria-label={`Isolate ${name}`}
                >
                  Isolate
                </Button>
              </div>
            ),
          },
        ]}
        rows={data.dependencies}
        rowKey={({ name }) => name}
      />
    </>
  );
}
