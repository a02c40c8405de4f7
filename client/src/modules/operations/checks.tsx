import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { Panel } from '@/kit/components/card.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { healthQuery, refreshed } from './operations-queries.ts';
import { figure, milliseconds, span } from './units.ts';

/** Every health check by name. */
export function Checks() {
  const { paused } = useSearch({ strict: false });
  const { data, error } = useQuery({ ...healthQuery, ...refreshed(paused) });
  return (
    <Panel
      title="Health checks"
      note={data ? `Version ${data.version}, ${data.environment}, up for ${span(data.uptime * 1_000)}.` : ''}
    >
      {error && !data ? (
        <ErrorNote error={error} />
      ) : !data ? (
        <SkeletonRows />
      ) : (
        <Table
          caption="Health checks"
          minWidth={640}
          columns={[
            { header: 'Check', width: '30%', cell: ([name]) => name.replaceAll('-', ' ') },
            {
              header: 'State',
              width: '22%',
              cell: ([, { status, required, unhealthy }]) =>
                status === 'passing' ? (
                  <StateBadge state="ready">Passes</StateBadge>
                ) : status === 'degraded' ? (
                  <StateBadge state="degraded">Degraded</StateBadge>
                ) : (
                  <StateBadge state={required || unhealthy ? 'failing' : 'degraded'}>Fails</StateBadge>
                ),
            },
            {
              header: 'What it says',
              cell: ([, { error, required, details }]) =>
                [error, ...Object.entries(details ?? {}).map(figure)].filter(Boolean).join(' · ') || (
                  <span className="text-muted">{required ? 'Needed to be ready' : 'For information'}</span>
                ),
            },
            {
              header: 'Took',
              width: '6rem',
              numeric: true,
              cell: ([, { durationMs }]) => <Figure>{milliseconds(durationMs)}</Figure>,
            },
          ]}
          rows={Object.entries(data.checks)}
          rowKey={([name]) => name}
        />
      )}
    </Panel>
  );
}
