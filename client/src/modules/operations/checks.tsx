import type { Health } from '#contracts/probes.ts';
import { Panel } from '@/kit/components/card.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { capital, milliseconds, span } from '@/kit/lib/format.ts';
import { Loaded, useRefreshed } from './components.tsx';
import { healthQuery } from './operations-queries.ts';
import { figure } from './texts.ts';

type Check = Health['checks'][string];

const stateOf = ({ status, required, unhealthy }: Check) =>
  status === 'passing'
    ? (['ready', 'Passing'] as const)
    : status === 'degraded'
      ? (['degraded', 'Degraded'] as const)
      : ([required || unhealthy ? 'failing' : 'degraded', 'Failing'] as const);

/** Every health check by name. */
export function Checks() {
  const query = useRefreshed(healthQuery);
  const { data } = query;
  return (
    <Panel
      title="Health checks"
      note={data ? `Version ${data.version}, ${data.environment}, up for ${span(data.uptime * 1_000)}.` : ''}
    >
      <Loaded query={query} rows={7}>
        {({ checks }) => (
          <Table
            caption="Health checks"
            cards
            minWidth={560}
            columns={[
              { header: 'Check', width: '22%', cell: ([name]) => capital(name.replaceAll('-', ' ')) },
              {
                header: 'State',
                width: '7rem',
                cell: ([, check]) => {
                  const [state, word] = stateOf(check);
                  return <StateBadge state={state}>{word}</StateBadge>;
                },
              },
              {
                header: 'Details',
                cell: ([, { error, required, details }]) => {
                  const text =
                    [error, ...Object.entries(details ?? {}).map(figure)].filter(Boolean).join(' · ') ||
                    (required ? 'Required for readiness' : 'For information');
                  // As high as the longest text, so that a failure moves nothing.
                  return (
                    <span title={text} className="flex min-h-[2lh] items-center text-muted">
                      <span className="line-clamp-2">{text}</span>
                    </span>
                  );
                },
              },
              {
                header: 'Took',
                width: '5.5rem',
                numeric: true,
                cell: ([, { durationMs }]) => <Figure>{milliseconds(durationMs)}</Figure>,
              },
            ]}
            rows={Object.entries(checks)}
            rowKey={([name]) => name}
          />
        )}
      </Loaded>
    </Panel>
  );
}
