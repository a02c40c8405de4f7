import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { JobQueue, JobState, JobView } from '#contracts/jobs.ts';
import { Button } from '@/kit/components/button.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote, ErrorState } from '@/kit/components/error-state.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { type State, StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/kit/components/tabs.tsx';
import { ago, duration, exactly } from '@/kit/lib/format.ts';
import { operatorsScreen } from '@/kit/operator/operators-screen.tsx';
import { Dependencies } from './dependencies.tsx';
import {
  type JobAction,
  jobsQuery,
  queuesQuery,
  useJobAction,
  useJobEvents,
  usePause,
} from './jobs-queries.ts';

/** Jobs: what waits, runs and has failed, and what an operator does about it. */
export const JobsScreen = operatorsScreen('Jobs', 'Work behind the answers of this server.', Queues);

function Queues() {
  useJobEvents();
  const { data, error, refetch } = useQuery(queuesQuery);
  const { mutate: pause, isPending, error: refused } = usePause();
  if (data === undefined) {
    if (error) return <ErrorState error={error} onRetry={refetch} />;
    return <ToCome />;
  }
  if (data.queues.length === 0) {
    return (
      <Empty icon="play" title="No jobs are defined">
        <p>
          A feature defines one with <code>jobs.define</code>. See “A job” in docs/recipes.md.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <p className="mt-1 max-w-prose text-sm text-muted">
        {data.runsHere
          ? 'This process runs jobs.'
          : 'This process runs no jobs: a worker beside it must be running.'}
      </p>
      {(error ?? refused) && <ErrorNote error={(error ?? refused) as Error} />}
      <div className="mt-5">
        <Table<JobQueue>
          cards
          caption="Queues"
          minWidth={900}
          order="queues"
          columns={[
            { header: 'State', width: '9rem', cell: (queue) => <QueueState queue={queue} /> },
            {
              header: 'Queue',
              cell: ({ name, schedule }) => (
                <>
                  <p className="font-medium">{name}</p>
                  {schedule && (
                    <p className="text-muted">
                      <code>{schedule.cron}</code> {schedule.timeZone}
                      {schedule.nextAt && `, next ${exactly(schedule.nextAt)}`}
                    </p>
                  )}
                </>
              ),
            },
            {
              header: 'Waiting',
              width: '6rem',
              numeric: true,
              cell: ({ waiting }) => <Figure>{waiting}</Figure>,
            },
            {
              header: 'Oldest',
              width: '8rem',
              numeric: true,
              cell: ({ waiting, oldestSeconds }) => (
                <Figure>{waiting > 0 ? duration(oldestSeconds * 1_000) : '–'}</Figure>
              ),
            },
            {
              header: 'Running',
              width: '6rem',
              numeric: true,
              cell: ({ running }) => <Figure>{running}</Figure>,
            },
            {
              header: 'Scheduled',
              width: '7rem',
              numeric: true,
              cell: ({ scheduled }) => <Figure>{scheduled}</Figure>,
            },
            { header: 'Dead', width: '5rem', numeric: true, cell: ({ dead }) => <Figure>{dead}</Figure> },
            {
              header: 'Action',
              width: '7.5rem',
              cell: (queue) => (
                <Button
                  variant="outline"
                  icon={queue.paused ? 'play' : 'pause'}
                  disabled={isPending}
                  onClick={() => pause(queue)}
                  aria-label={`${queue.paused ? 'Resume' : 'Pause'} ${queue.name}`}
                >
                  {queue.paused ? 'Resume' : 'Pause'}
                </Button>
              ),
            },
          ]}
          rows={data.queues}
          rowKey={({ name }) => name}
        />
      </div>
      <div className="mt-8">
        <Tabs defaultValue="running">
          <TabsList aria-label="Jobs by state">
            <TabsTrigger value="running">Running</TabsTrigger>
            <TabsTrigger value="dead">Dead</TabsTrigger>
            <TabsTrigger value="waiting">Waiting</TabsTrigger>
            <TabsTrigger value="done">Done</TabsTrigger>
            <TabsTrigger value="services">Other services</TabsTrigger>
          </TabsList>
          <TabsContent value="running">
            <Jobs state="running" empty="No running jobs" actions={['cancel']} />
          </TabsContent>
          <TabsContent value="dead">
            <Jobs state="dead" empty="No dead jobs" actions={['retry', 'discard']} />
          </TabsContent>
          <TabsContent value="waiting">
            <Jobs state="waiting" empty="No waiting jobs" actions={['cancel']} />
          </TabsContent>
          <TabsContent value="done">
            <Jobs state="done" empty="No finished jobs" actions={['discard']} />
          </TabsContent>
          <TabsContent value="services">
            <Dependencies />
          </TabsContent>
        </Tabs>
      </div>
    </>
  );
}

function QueueState({ queue: { paused, dead, running, waiting, oldestSeconds } }: { queue: JobQueue }) {
  const late = oldestSeconds > 300;
  const [state, word]: [State, string] = paused
    ? ['draining', 'Paused']
    : late
      ? ['degraded', 'Late']
      : dead > 0
        ? ['failing', 'Dead jobs']
        : running + waiting > 0
          ? ['ready', 'Working']
          : ['ready', 'Idle'];
  return <StateBadge state={state}>{word}</StateBadge>;
}

const LABELS: Record<JobAction, string> = { cancel: 'Cancel', retry: 'Retry', discard: 'Discard' };

function Jobs({
  state,
  empty,
  actions,
}: {
  state: JobState;
  empty: string;
  actions: readonly JobAction[];
}): ReactNode {
  const { data, error, refetch } = useQuery(jobsQuery(state));
  const { mutate, isPending, error: refused } = useJobAction();
  if (data === undefined) return error ? <ErrorState error={error} onRetry={refetch} /> : <ToCome />;
  if (data.items.length === 0) return <Empty icon="check" title={empty} />;
  return (
    <>
      {(error ?? refused) && <ErrorNote error={(error ?? refused) as Error} />}
      <Table<JobView>
        cards
        caption={`Jobs, ${state}`}
        minWidth={960}
        columns={[
          {
            header: 'Job',
            width: '14rem',
            cell: ({ name, id }) => (
              <div className="flex items-center gap-2">
                <span className="font-medium">{name}</span>
                <CopyButton text={id} label={`Copy the id ${id}`} />
              </div>
            ),
          },
          {
            header: 'When',
            width: '10rem',
            cell: ({ endedAt, startedAt, dueAt }) => {
              const at = state === 'waiting' ? dueAt : (endedAt ?? startedAt ?? dueAt);
              return <span title={at}>{new Date(at).getTime() > Date.now() ? exactly(at) : ago(at)}</span>;
            },
          },
          {
            header: 'Attempts',
            width: '6rem',
            numeric: true,
            cell: ({ attempts, maxAttempts }) => <Figure>{`${attempts} of ${maxAttempts}`}</Figure>,
          },
          { header: 'What happened', cell: (job) => <Told job={job} /> },
          {
            header: 'Action',
            width: `${actions.length * 6.5}rem`,
            cell: (job) => (
              <div className="flex gap-2">
                {actions.map((action) => (
                  <Button
                    key={action}
                    variant="outline"
                    disabled={isPending}
                    onClick={() => mutate({ action, job })}
                    aria-label={`${LABELS[action]} ${job.name} ${job.id}`}
                  >
                    {LABELS[action]}
                  </Button>
                ))}
              </div>
            ),
          },
        ]}
        rows={data.items}
        rowKey={({ id }) => id}
      />
    </>
  );
}

/** What changes: as another element, since one that grows would count as moved. */
const Figure = ({ children }: { children: string | number }) => <span key={children}>{children}</span>;

/** How far it is, why it failed, and what it was given. */
function Told({ job: { progress, error, input } }: { job: JobView }) {
  const text = JSON.stringify(input);
  const { done, total, note } = progress ?? {};
  const far = progress && `${done}${total === undefined ? '' : ` of ${total}`}${note ? `, ${note}` : ''}`;
  return (
    <>
      {/* Always a line, so that nothing moves when it comes. */}
      <p
        className={`truncate ${error === null ? 'tabular-nums' : 'text-failing'}`}
        title={error ?? undefined}
      >
        <Figure>{error ?? far ?? 'No progress reported'}</Figure>
      </p>
      <p className="truncate font-mono text-xs text-muted" title={text}>
        {text}
      </p>
    </>
  );
}

function ToCome() {
  return (
    <div aria-busy="true" className="mt-5 rounded-md border bg-surface px-3">
      {Array.from({ length: 4 }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
        <div key={row} className="flex h-9 items-center">
          <Skeleton className="h-3 w-1/2" />
        </div>
      ))}
    </div>
  );
}
