import { useSearch } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { takeProfile } from '#contracts/operations/deployment.ts';
import { Button } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { request } from '@/kit/lib/api.ts';
import { useConnection } from '@/kit/lib/connection.ts';
import { asSentence, bytes, clock, milliseconds, number } from '@/kit/lib/format.ts';
import { CHARTS, Charts, useZoom, ZoomBar } from './charts.tsx';
import { Checks } from './checks.tsx';
import { Loaded, useRefreshed } from './components.tsx';
import { useLive } from './live.ts';
import { performanceQuery } from './operations-queries.ts';

const GROUPS = [
  ['Event loop and CPU', 'lg:grid-cols-3', [CHARTS.eventLoopDelay, CHARTS.eventLoopUse, CHARTS.cpu]],
  ['Database and load', 'lg:grid-cols-3', [CHARTS.pool, CHARTS.queries, CHARTS.refused]],
  ['Memory', 'lg:grid-cols-2', [CHARTS.memory, CHARTS.collection]],
] as const;

/** What the process uses: event loop, CPU, memory, database. */
export function ResourcesScreen(): ReactNode {
  const { window = '15m' } = useSearch({ strict: false });
  const zoom = useZoom(window);
  return (
    <>
      <ZoomBar zoom={zoom} />
      {GROUPS.map(([title, className, charts]) => (
        <section key={title} className="mt-6 first-of-type:mt-0">
          <h2 className="mb-2 text-base">{title}</h2>
          <Charts charts={[...charts]} zoom={zoom} className={className} />
        </section>
      ))}
      <Limits />
      <div className="grid grid-cols-1 gap-x-8 xl:grid-cols-2">
        <Checks />
        <Startup />
      </div>
      <Profile />
      {/* Last, because it grows with each query. */}
      <SlowQueries />
    </>
  );
}

/** The limits beside the charts of what is used. */
function Limits() {
  const now = useLive((live) => live.now);
  const facts: [string, string | undefined][] = [
    ['CPU', now && (now.cores === 1 ? '1 core' : `${number(now.cores)} cores`)],
    ['Memory limit', now && (now.memory.limit === null ? 'None' : bytes(now.memory.limit))],
    ['Heap limit', now && bytes(now.memory.heapLimit)],
    ['Outside the heap', now && bytes(now.memory.external)],
    ['Database connections', now && `${now.pool.open} open, ${now.pool.size} at most`],
    [
      'Wait for a connection, p95',
      now && (now.pool.acquireP95Ms === null ? '–' : milliseconds(now.pool.acquireP95Ms)),
    ],
    ['Open client connections', now && number(now.connections)],
    [
      'Refused since start',
      now && `${number(now.refused.rateLimited)} by rate limit, ${number(now.refused.shed)} by overload`,
    ],
  ];
  return (
    <Panel title="Limits">
      <dl className="grid grid-cols-2 gap-x-8 gap-y-3 text-sm lg:grid-cols-4">
        {facts.map(([what, value = '\u00a0']) => (
          <div key={what}>
            <dt className="text-muted">{what}</dt>
            <dd key={value} className="min-h-[2lh] tabular-nums sm:min-h-[1lh]">
              {value}
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function SlowQueries() {
  const { window = '15m' } = useSearch({ strict: false });
  return (
    <Panel title="Slowest queries" note="In the last hour, without the values of parameters.">
      <Loaded query={useRefreshed(performanceQuery(window))}>
        {({ slowestQueries }) =>
          slowestQueries.length === 0 ? (
            <Empty icon="pulse" title="No queries in the last hour" />
          ) : (
            <Table
              caption="Slowest queries"
              cards
              minWidth={600}
              columns={[
                {
                  header: 'Time',
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
              rows={slowestQueries}
              rowKey={(_, index) => index}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}

const STEPS = {
  pending: ['waiting', 'Pending'],
  running: ['waiting', 'Running'],
  done: ['ready', 'Done'],
  failed: ['failing', 'Failed'],
} as const;

/** The steps of start-up, migrations among them. */
function Startup() {
  const { status } = useConnection();
  return (
    <Panel
      title="Start-up and migrations"
      note={status?.problem ? asSentence(status.problem) : 'In order of start.'}
    >
      <Loaded query={{ data: status, error: null, refetch: () => {} }}>
        {({ startup }) => (
          <Table
            caption="Start-up and migrations"
            cards
            minWidth={480}
            columns={[
              { header: 'Step', width: '30%', cell: ({ step }) => step },
              {
                header: 'State',
                width: '22%',
                cell: ({ status }) => <StateBadge state={STEPS[status][0]}>{STEPS[status][1]}</StateBadge>,
              },
              { header: 'Result', cell: ({ note }) => note ?? '–' },
              {
                header: 'Took',
                width: '6rem',
                numeric: true,
                cell: ({ durationMs }) => (durationMs === undefined ? '–' : milliseconds(durationMs)),
              },
            ]}
            rows={startup}
            rowKey={({ step }) => step}
          />
        )}
      </Loaded>
    </Panel>
  );
}

const SECONDS = [5, 15, 30, 60];

/** Records a CPU profile for some seconds. */
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
      note="Shows which functions take the time. Open the file in the browser’s developer tools, under Performance."
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
        <Button variant="outline" onClick={record} pending={state.isRunning}>
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
