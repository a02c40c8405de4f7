import { useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Panel } from '@/kit/components/card.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { Table } from '@/kit/components/table.tsx';
import { useConnection } from '@/kit/lib/connection.ts';
import { clock } from '@/kit/lib/format.ts';
import { CHARTS, Charts } from './charts.tsx';
import { Checks } from './checks.tsx';
import { useLive } from './live.ts';
import { performanceQuery, refreshed } from './operations-queries.ts';
import { keeping } from './pieces.tsx';
import { columnsOf } from './route-columns.tsx';
import { lastWords, sentence } from './sentence.ts';

/** The number of routes on the overview; `/ops/routes` shows all. */
const SHOWN_ROUTES = 6;

/** The overview: a sentence, charts, and links to details. */
export function OverviewScreen(): ReactNode {
  return (
    <>
      <Sentence />
      <Charts
        charts={[
          CHARTS.requests,
          CHARTS.errors,
          CHARTS.duration,
          CHARTS.inFlight,
          CHARTS.eventLoopDelay,
          CHARTS.cpu,
          CHARTS.memory,
          CHARTS.pool,
        ]}
      />
      <div className="grid grid-cols-1 gap-x-8 xl:grid-cols-2">
        <BusiestRoutes />
        <Checks />
      </div>
    </>
  );
}

function Sentence() {
  const { now, alerts, before, instance, heardAt, mode } = useLive((live) => live);
  const { reachable } = useConnection();
  const said = now && (reachable || !heardAt ? sentence(now, alerts) : lastWords(now, heardAt));
  const isWell = now?.ready === true && reachable;
  return (
    <div className="mt-5 mb-6">
      <p className="min-h-[4lh] text-lg md:min-h-[2lh] md:text-xl">
        {said && (
          // Keyed by text: changing words inside a line would count as a layout shift.
          <span key={said.join()}>
            <span className={isWell ? '' : 'text-failing'}>{said[0]}</span> {said[1]}
          </span>
        )}
      </p>
      <p className="min-h-[2lh] text-sm text-muted md:min-h-[1lh]">
        {mode === 'still' && heardAt !== undefined
          ? `These figures are of ${clock(heardAt)}.`
          : before !== undefined &&
            `Another process answers now: ${instance} instead of ${before}. Its figures begin anew.`}
      </p>
    </div>
  );
}

function BusiestRoutes() {
  const { window = '15m', paused } = useSearch({ strict: false });
  const { data, error } = useQuery({ ...performanceQuery(window), ...refreshed(paused) });
  return (
    <Panel
      title="Busiest routes"
      note="Most requests first, in this window."
      action={
        <Link
          to="/ops/routes"
          search={keeping()}
          className="text-sm underline decoration-border underline-offset-4"
        >
          All routes
        </Link>
      }
    >
      {error && !data ? (
        <ErrorNote error={error} />
      ) : !data ? (
        <SkeletonRows rows={SHOWN_ROUTES} />
      ) : data.routes.length === 0 ? (
        <Empty icon="pulse" title="No requests in this time" />
      ) : (
        <Table
          caption="Busiest routes"
          columns={columnsOf(['route', 'rate', 'errors', 'p95'])}
          minWidth={480}
          rows={data.routes.slice(0, SHOWN_ROUTES)}
          rowKey={(_, index) => index}
        />
      )}
    </Panel>
  );
}
