import { Link, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Panel } from '@/kit/components/card.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { Table } from '@/kit/components/table.tsx';
import { useConnection } from '@/kit/lib/connection.ts';
import { CHARTS, Charts, Tiles, useZoom, ZoomBar } from './charts.tsx';
import { Checks } from './checks.tsx';
import { keeping, Loaded, useRefreshed } from './components.tsx';
import { useLive } from './live.ts';
import { performanceQuery } from './operations-queries.ts';
import { columnsOf } from './route-columns.tsx';
import { lastWords, sentence } from './sentence.ts';
import { NO_TRAFFIC } from './texts.ts';

/** The number of routes shown. */
const MAX_ROUTES = 6;

/** A sentence, the golden signals over time, the figures of the process, and the busiest routes. */
export function OverviewScreen(): ReactNode {
  const { window = '15m' } = useSearch({ strict: false });
  const zoom = useZoom(window);
  return (
    <>
      <Sentence />
      <ZoomBar zoom={zoom} />
      <Charts
        charts={[CHARTS.requests, CHARTS.errors, CHARTS.duration]}
        zoom={zoom}
        className="lg:grid-cols-3"
      />
      <Tiles
        charts={[
          CHARTS.inFlight,
          CHARTS.eventLoopDelay,
          CHARTS.cpu,
          CHARTS.memory,
          CHARTS.pool,
          CHARTS.queries,
        ]}
      />
      <div className="grid grid-cols-1 gap-x-8 xl:grid-cols-2">
        <Checks />
        {/* Last, because it grows with each route. */}
        <BusiestRoutes />
      </div>
    </>
  );
}

function Sentence() {
  const { now, alerts, heardAt } = useLive((live) => live);
  const { reachable } = useConnection();
  const said = now && (reachable || !heardAt ? sentence(now, alerts) : lastWords(now, heardAt));
  const isWell = now?.ready === true && reachable;
  return (
    <>
      {/* As high as the longest text, so that nothing below moves. */}
      <p
        title={said?.join(' ')}
        className="mt-5 line-clamp-4 h-[4lh] text-lg md:line-clamp-2 md:h-[2lh] xl:text-xl"
      >
        {said && (
          // A key for each text: words that change within an element would count as a layout shift.
          <span key={said.join()}>
            <span className={isWell ? '' : 'text-failing'}>{said[0]}</span> {said[1]}
          </span>
        )}
      </p>
    </>
  );
}

function BusiestRoutes() {
  const { window = '15m' } = useSearch({ strict: false });
  return (
    <Panel
      title="Busiest routes"
      note="By requests, in this time range."
      action={
        <Link
          to="/ops/routes"
          search={keeping()}
          className="inline-flex min-h-6 items-center text-sm underline decoration-border underline-offset-4 max-md:min-h-11"
        >
          All routes
        </Link>
      }
    >
      <Loaded query={useRefreshed(performanceQuery(window))} rows={MAX_ROUTES}>
        {({ routes }) =>
          routes.length === 0 ? (
            <Empty icon="pulse" title={NO_TRAFFIC} />
          ) : (
            <Table
              caption="Busiest routes"
              cards
              columns={columnsOf(['route', 'rate', 'errors', 'p95'])}
              minWidth={480}
              rows={routes.slice(0, MAX_ROUTES)}
              rowKey={(_, index) => index}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}
