import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { takeProfile } from '#contracts/operations/deployment.ts';
import { Button } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { request } from '@/kit/lib/api.ts';
import { useConnection } from '@/kit/lib/connection.ts';
import { clock } from '@/kit/lib/format.ts';
import { CHARTS, Charts } from './charts.tsx';
import { Checks } from './checks.tsx';
import { useLive } from './live.ts';
import { performanceQuery, refreshed } from './operations-queries.ts';
import { bytes, milliseconds, number } from './units.ts';

/** Resources: event loop, CPU, memory, database. */
export function ResourcesScreen(): ReactNode {
  return (
    <>
      <Limits />
      <Charts
        charts={[
          CHARTS.eventLoopDelay,
          CHARTS.eventLoopUse,
          CHARTS.cpu,
          CHARTS.collection,
          CHARTS.memory,
          CHARTS.pool,
          CHARTS.queries,
          CHARTS.refused,
        ]}
      />
      <SlowQueries />
      <div className="grid grid-cols-1 gap-x-8 xl:grid-cols-2">
        <Checks />
        <Startup />
      </div>
      <Profile />
    </>
  );
}

/** The limits, beside the charts of usage. */
function Limits() {
  const now = useLive((live) => live.now);
  const facts = now && [
    ['Cores', number(now.cores)],
    ['Memory limit', now.memory.limit === null ? 'none' : bytes(now.memory.limit)],
    ['Heap limit', bytes(now.memory.heapLimit)],
    ['Outside the heap', bytes(now.memory.external)],
    ['Connections to the database', `${now.pool.open} of ${now.pool.size}`],
    [
      'Wait for a connection, p95',
      now.pool.acquireP95Ms === null ? '–' : milliseconds(now.pool.acquireP95Ms),
    ],
    ['Connections to this server', number(now.connections)],
    [
      'Refused since start',
      `${number(now.refused.rateLimited)} by limit, ${number(now.refused.shed)} by overload`,
    ],
  ];
  return (
    <dl className="mt-4 mb-4 grid min-h-58 grid-cols-2 gap-x-8 gap-y-2 text-sm md:min-h-25 md:grid-cols-4">
      {facts?.map(([what, value]) => (
        <div key={what}>
          <dt className="text-muted">{what}</dt>
          <dd key={value} className="tabular-nums">
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function SlowQueries() {
  const { window = '15m', paused } = useSearch({ strict: false });
  const { data, error } = useQuery({ ...performanceQuery(window), ...refreshed(paused) });
  return (
    <Panel title="Slowest queries" note="Of the last hour. Parameter values are left out.">
      {error && !data ? (
        <ErrorNote error={error} />
      ) : !data ? (
        <SkeletonRows />
      ) : data.slowestQueries.length === 0 ? (
        <p className="text-sm text-muted">No query in the last hour.</p>
      ) : (
        <Table
          caption="Slowest queries"
          minWidth={640}
          columns={[
            {
              header: 'At',
              width: '6rem',
              cell: ({ at }) => <span className="tabular-nums">{clock(at)}</span>,
            },
            {
              header: 'Statement',
              cell: ({ statement, failed }) => (
                <span className="flex items-center gap-3">
                  {failed && <StateBadge state="failing">Failed</StateBadge>}
                  <code className="block truncate font-mono text-xs" title={statement}>
                    {statement}
                  </code>
                </span>
              ),
            },
            {
              header: 'Took',
              width: '6.5rem',
              numeric: true,
              cell: ({ durationMs }) => <Figure>{milliseconds(durationMs)}</Figure>,
            },
          ]}
          rows={data.slowestQueries}
          rowKey={(_, index) => index}
        />
      )}
    </Panel>
  );
}

const STEPS = {
  pending: ['waiting', 'Waits'],
  running: ['waiting', 'Under way'],
  done: ['ready', 'Done'],
  failed: ['failing', 'Failed'],
} as const;

/** The steps of start-up, with migrations. */
function Startup() {
  const { status } = useConnection();
  return (
    <Panel title="Start-up and migrations" note={status?.problem ?? 'In the order they started.'}>
      {!status ? (
        <SkeletonRows />
      ) : (
        <Table
          caption="Start-up and migrations"
          minWidth={480}
          columns={[
            { header: 'Step', width: '30%', cell: ({ step }) => step },
            {
              header: 'State',
              width: '22%',
              cell: ({ status }) => <StateBadge state={STEPS[status][0]}>{STEPS[status][1]}</StateBadge>,
            },
            { header: 'What it did', cell: ({ note }) => note ?? '' },
            {
              header: 'Took',
              width: '6rem',
              numeric: true,
              cell: ({ durationMs }) => (durationMs === undefined ? '' : milliseconds(durationMs)),
            },
          ]}
          rows={status.startup}
          rowKey={({ step }) => step}
        />
      )}
    </Panel>
  );
}

const SECONDS = [5, 15, 30, 60];

/** A CPU profile of some seconds. */
function Profile() {
  const instance = useLive((live) => live.instance);
  const [seconds, setSeconds] = useState(5);
  const [state, setState] = useState<{ isRunning: boolean; error?: unknown; said?: string }>({
    isRunning: false,
  });

  async function record() {
    setState({ isRunning: true });
    try {
      const profile = await request<typeof takeProfile>('GET', '/api/monitoring/profile', {
        query: { seconds },
      });
      const name = `${instance ?? 'process'}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.cpuprofile`;
      const href = URL.createObjectURL(new Blob([JSON.stringify(profile)], { type: 'application/json' }));
      Object.assign(document.createElement('a'), { href, download: name }).click();
      URL.revokeObjectURL(href);
      setState({ isRunning: false, said: `Saved as ${name}.` });
    } catch (error) {
      setState({ isRunning: false, error });
    }
  }

  return (
    <Panel
      title="CPU profile"
      note="Shows which functions take the time. Open the file in the browser’s tools: Performance, Load profile."
    >
      <div className="flex flex-wrap items-center gap-3">
        <Choice
          label="Length of the profile"
          hidden
          value={seconds}
          onChange={({ target }) => setSeconds(Number(target.value))}
        >
          {SECONDS.map((one) => (
            <option key={one} value={one}>
              {one} s
            </option>
          ))}
        </Choice>
        <Button variant="outline" onClick={record} disabled={state.isRunning}>
          {state.isRunning ? `Recording for ${seconds} s` : 'Record'}
        </Button>
        <p role="status" className="text-sm text-muted">
          {state.said}
        </p>
      </div>
      {state.error !== undefined && (
        <div className="mt-3">
          <ErrorNote error={state.error} />
        </div>
      )}
    </Panel>
  );
}
