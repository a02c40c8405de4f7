import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { TrafficReport } from '#contracts/operations/traffic.ts';
import { DataTable, type Sort } from '@/kit/components/data-table.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { Table } from '@/kit/components/table.tsx';
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/kit/components/tabs.tsx';
import { ApiError } from '@/kit/lib/api.ts';
import { clock, count, milliseconds } from '@/kit/lib/format.ts';
import { ChartFrom, RATES, useZoom, ZoomBar } from './charts.tsx';
import { keeping, Loaded, RequestLink, RouteLink, useRefreshed } from './components.tsx';
import { Distribution } from './distribution.tsx';
import { performanceQuery } from './operations-queries.ts';
import { columnsOf, MEASURES, type MeasureName, nameOf } from './route-columns.tsx';
import { NO_TRAFFIC, WINDOW_WORDS } from './texts.ts';

const NAMES = Object.keys(MEASURES) as MeasureName[];
const COLUMNS = columnsOf(['route', ...NAMES]);

/** Every route, or one of them. */
export function RoutesScreen(): ReactNode {
  const { route } = useSearch({ strict: false });
  return route === undefined ? <AllRoutes /> : <OneRoute key={route} name={route} />;
}

/** The order in the address: the name of a column, with a minus where it ascends. */
function useSort() {
  const { sort: given = 'requests' } = useSearch({ strict: false });
  const navigate = useNavigate();
  const nameBy = (header: string) =>
    ['route', ...NAMES][COLUMNS.findIndex((column) => column.header === header)];
  const name = given.replace('-', '');
  const column = COLUMNS.find(({ header }) => nameBy(header) === name) ?? COLUMNS[1];
  const sort: Sort = {
    by: column?.header ?? '',
    direction: given.startsWith('-') ? 'ascending' : 'descending',
  };
  const onSort = ({ by, direction }: Sort) => {
    // A column that is pressed first shows its largest first.
    const ascends = by === sort.by && direction === 'ascending';
    navigate({
      to: '.',
      search: (before) => ({ ...before, sort: `${ascends ? '-' : ''}${nameBy(by)}` }),
      replace: true,
    });
  };
  const sign = sort.direction === 'ascending' ? 1 : -1;
  const value = (row: TrafficReport['routes'][number]) => column?.value?.(row) ?? 0;
  const compare = (a: TrafficReport['routes'][number], b: TrafficReport['routes'][number]) =>
    sign * (value(a) < value(b) ? -1 : Number(value(a) > value(b)));
  return { sort, onSort, compare };
}

function AllRoutes() {
  const { window = '15m', sort: order = '' } = useSearch({ strict: false });
  const { sort, onSort, compare } = useSort();
  const query = useRefreshed(performanceQuery(window));
  return (
    <Tabs defaultValue="routes" className="mt-3">
      <TabsList aria-label="Routes">
        <TabsTrigger value="routes">By route</TabsTrigger>
        <TabsTrigger value="durations">Durations</TabsTrigger>
        <TabsTrigger value="slowest">Slowest requests</TabsTrigger>
      </TabsList>
      <TabsContent value="routes">
        <Loaded query={query} rows={8}>
          {({ routes, total }) => (
            <>
              <p className="mb-2 text-sm text-muted">
                {`${count(total.requests, 'request')} in the ${WINDOW_WORDS[window]}.`}
              </p>
              <DataTable
                caption="Routes"
                minWidth={1_080}
                order={`${window} ${order}`}
                columns={COLUMNS}
                rows={routes.toSorted(compare)}
                rowKey={nameOf}
                sort={sort}
                onSort={onSort}
                empty={routes.length === 0 ? NO_TRAFFIC : undefined}
              />
            </>
          )}
        </Loaded>
      </TabsContent>
      <TabsContent value="durations">
        <Loaded query={query}>{(data) => <Distribution performance={data} />}</Loaded>
      </TabsContent>
      <TabsContent value="slowest">
        <Loaded query={query}>{(data) => <Slowest performance={data} />}</Loaded>
      </TabsContent>
    </Tabs>
  );
}

function OneRoute({ name }: { name: string }) {
  const { window = '15m' } = useSearch({ strict: false });
  const query = useRefreshed(performanceQuery(window, name));
  const zoom = useZoom(window);
  const isUnknown = query.error instanceof ApiError && query.error.problem.status === 404;
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
        <Empty icon="pulse" title="No requests to this route">
          <p>It has answered nothing since this process started. Check the address for a typing mistake.</p>
        </Empty>
      ) : (
        <Loaded query={query} rows={8}>
          {(data) => (
            <>
              <dl className="grid grid-cols-2 gap-x-8 gap-y-3 sm:grid-cols-4 xl:grid-cols-8">
                {NAMES.map((measure) => {
                  const [header, value, format] = MEASURES[measure];
                  const found = value({ method: '', route: '', ...data.total });
                  const text = found === null ? '–' : format(found);
                  return (
                    <div key={measure}>
                      <dt className="text-sm text-muted">{header}</dt>
                      <dd key={text} className="text-lg tabular-nums">
                        {text}
                      </dd>
                    </div>
                  );
                })}
              </dl>
              <ZoomBar zoom={zoom} />
              <div className="grid grid-cols-1 gap-4 lg:grid-cols-3">
                {Object.values(RATES).map((chart) => (
                  <ChartFrom key={chart.title} from={data.history} of={chart} zoom={zoom} />
                ))}
              </div>
              <Tabs defaultValue="slowest" className="mt-6">
                <TabsList aria-label="Requests">
                  <TabsTrigger value="slowest">Slowest requests</TabsTrigger>
                  <TabsTrigger value="durations">Durations</TabsTrigger>
                </TabsList>
                <TabsContent value="slowest">
                  <Slowest performance={data} />
                </TabsContent>
                <TabsContent value="durations">
                  <Distribution performance={data} />
                </TabsContent>
              </Tabs>
            </>
          )}
        </Loaded>
      )}
    </>
  );
}

function Slowest({ performance: { slowestRequests } }: { performance: TrafficReport }) {
  if (slowestRequests.length === 0) return <Empty icon="pulse" title="No requests in the last hour" />;
  return (
    <Table
      caption="Slowest requests"
      cards
      minWidth={760}
      columns={[
        {
          header: 'Time',
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
        { header: 'Log', width: '8rem', cell: ({ requestId }) => <RequestLink id={requestId} /> },
      ]}
      rows={slowestRequests}
      rowKey={(_, index) => index}
    />
  );
}
