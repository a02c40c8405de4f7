import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { TrafficReport } from '#contracts/operations/traffic.ts';
import { Panel } from '@/kit/components/card.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { Table } from '@/kit/components/table.tsx';
import { ApiError } from '@/kit/lib/api.ts';
import { clock } from '@/kit/lib/format.ts';
import { ChartFrom, RATES, SPANS } from './charts.tsx';
import { Distribution } from './distribution.tsx';
import { performanceQuery, refreshed } from './operations-queries.ts';
import { keeping, RequestLink, RouteLink } from './pieces.tsx';
import { columnsOf, MEASURES, type MeasureName, nameOf } from './route-columns.tsx';
import { milliseconds, number, percent, perSecond } from './units.ts';

const COLUMNS = Object.keys(MEASURES) as MeasureName[];

/** Every route, or one of them. */
export function RoutesScreen(): ReactNode {
  const { route } = useSearch({ strict: false });
  return route === undefined ? <AllRoutes /> : <OneRoute key={route} name={route} />;
}

function usePerformance(route?: string) {
  const { window = '15m', paused } = useSearch({ strict: false });
  return { window, ...useQuery({ ...performanceQuery(window, route), ...refreshed(paused) }) };
}

function AllRoutes() {
  const { window, data, error, refetch } = usePerformance();
  const { sort } = useSearch({ strict: false });
  const navigate = useNavigate();
  const by = COLUMNS.find((name) => name === sort) ?? 'requests';

  if (error && !data) return <ErrorState error={error} onRetry={refetch} />;
  if (!data) return <Waiting />;
  if (data.routes.length === 0) {
    return (
      <Empty icon="pulse" title="No requests in this time">
        <p>Routes appear here with the first request that they answer.</p>
      </Empty>
    );
  }
  const rows = data.routes.toSorted((a, b) => (MEASURES[by].value(b) ?? -1) - (MEASURES[by].value(a) ?? -1));
  return (
    <>
      <Panel
        title="Routes"
        className="mt-5"
        note={`${number(data.total.requests)} requests in ${WORDS[window]}.`}
      >
        <Table
          caption="Routes"
          minWidth={1_080}
          order={`${window} ${by}`}
          columns={columnsOf(['route', ...COLUMNS]).map((column, index) => {
            const name = COLUMNS[index - 1];
            if (name === undefined) return column;
            const onSort = () =>
              navigate({ to: '.', search: (before) => ({ ...before, sort: name }), replace: true });
            return { ...column, onSort, isSorted: name === by };
          })}
          rows={rows}
          rowKey={nameOf}
        />
      </Panel>
      <Distribution performance={data} />
      <Slowest performance={data} />
    </>
  );
}

const WORDS = { '5m': '5 minutes', '15m': '15 minutes', '1h': 'an hour' };

function Waiting() {
  return (
    <div className="mt-5">
      <SkeletonRows rows={8} />
    </div>
  );
}

function OneRoute({ name }: { name: string }) {
  const { window, data, error, refetch } = usePerformance(name);
  const isUnknown = error instanceof ApiError && error.problem.status === 404;
  return (
    <>
      <Link
        to="/ops/routes"
        search={keeping()}
        className="mt-4 inline-flex min-h-8 items-center gap-2 text-sm text-muted hover:text-text pointer-coarse:min-h-11 max-md:min-h-11"
      >
        <Icon name="arrowLeft" />
        All routes
      </Link>
      <h2 className="mt-1 mb-3 font-mono text-base break-all">{name}</h2>
      {isUnknown ? (
        <Empty icon="pulse" title="This route has answered nothing yet">
          <p>Since this process started, or the address has a typing mistake.</p>
        </Empty>
      ) : error && !data ? (
        <ErrorState error={error} onRetry={refetch} />
      ) : !data ? (
        <Waiting />
      ) : (
        <>
          <dl className="mb-4 flex flex-wrap gap-x-8 gap-y-3">
            {facts(data.total).map(([what, value]) => (
              <div key={what} className="min-w-22">
                <dt className="text-sm text-muted">{what}</dt>
                <dd key={value} className="text-lg tabular-nums">
                  {value}
                </dd>
              </div>
            ))}
          </dl>
          <div className="grid grid-cols-1 gap-4 lg:grid-cols-3">
            {Object.values(RATES).map((chart) => (
              <ChartFrom key={chart.title} from={data.history} of={chart} windowMs={SPANS[window]} />
            ))}
          </div>
          <Distribution performance={data} />
          <Slowest performance={data} />
        </>
      )}
    </>
  );
}

const or = (value: number | null, text: (value: number) => string) => (value === null ? '–' : text(value));

const facts = ({ requests, requestsPerSecond, clientErrors, errors, ...took }: TrafficReport['total']) =>
  [
    ['Requests', number(requests)],
    ['Rate', perSecond(requestsPerSecond)],
    ['Client errors', percent(requests && clientErrors / requests)],
    ['Errors', percent(requests && errors / requests)],
    ['p50', or(took.p50Ms, milliseconds)],
    ['p95', or(took.p95Ms, milliseconds)],
    ['p99', or(took.p99Ms, milliseconds)],
    ['Slowest', or(took.maxMs, milliseconds)],
  ] as const;

function Slowest({ performance: { slowestRequests } }: { performance: TrafficReport }) {
  return (
    <Panel title="Slowest requests" note="Of the last hour. A request’s id leads to its lines in the log.">
      {slowestRequests.length === 0 ? (
        <p className="text-sm text-muted">None yet.</p>
      ) : (
        <Table
          caption="Slowest requests"
          minWidth={760}
          columns={[
            {
              header: 'At',
              width: '6rem',
              cell: ({ at }) => <span className="tabular-nums">{clock(at)}</span>,
            },
            { header: 'Route', cell: (row) => <RouteLink name={nameOf(row)} /> },
            {
              header: 'Path',
              cell: ({ path }) => (
                <span className="block truncate font-mono text-xs" title={path}>
                  {path}
                </span>
              ),
            },
            { header: 'Status', width: '5rem', numeric: true, cell: ({ status }) => status },
            {
              header: 'Took',
              width: '6.5rem',
              numeric: true,
              cell: ({ durationMs }) => <Figure>{milliseconds(durationMs)}</Figure>,
            },
            { header: 'Request', width: '10rem', cell: ({ requestId }) => <RequestLink id={requestId} /> },
          ]}
          rows={slowestRequests}
          rowKey={(_, index) => index}
        />
      )}
    </Panel>
  );
}
