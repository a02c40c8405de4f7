import { queryOptions, useQueryClient } from '@tanstack/react-query';
import type { isolateDependency, listDependencies, resetDependency } from '#contracts/dependencies.ts';
import type {
  cancelJob,
  discardJob,
  JobQueue,
  JobState,
  JobView,
  listJobs,
  listQueues,
  pauseQueue,
  resumeQueue,
  retryJob,
} from '#contracts/jobs.ts';
import { request } from '@/kit/lib/api.ts';
import { eventsAreSupplied, useEvents } from '@/kit/lib/events.ts';
import { forOperators, useOperatorChange } from '@/kit/operator/session.ts';

/** Poll interval while the screen is open, in milliseconds: where events tell of changes, it is for ages and for what was lost. */
const refetchInterval = () => (eventsAreSupplied() ? 30_000 : 3_000);

export const queuesQuery = queryOptions({
  queryKey: ['jobs', 'queues'],
  queryFn: ({ signal, client }) =>
    forOperators(client, request<typeof listQueues>('GET', '/api/monitoring/jobs', { signal })),
  refetchInterval,
});

export const jobsQuery = (state: JobState) =>
  queryOptions({
    queryKey: ['jobs', 'list', state],
    queryFn: ({ signal, client }) =>
      forOperators(
        client,
        request<typeof listJobs>('GET', '/api/monitoring/jobs/list', {
          query: { state, limit: 100 },
          signal,
        }),
      ),
    refetchInterval,
  });

/** Reads again what is shown when events tell of a change. */
export function useJobEvents() {
  const client = useQueryClient();
  useEvents('jobs', () => client.invalidateQueries({ queryKey: ['jobs'] }));
}

export const dependenciesQuery = queryOptions({
  queryKey: ['dependencies'],
  queryFn: ({ signal, client }) =>
    forOperators(client, request<typeof listDependencies>('GET', '/api/monitoring/dependencies', { signal })),
  refetchInterval: 5_000,
});

/** Resets or isolates a service in the process that answers. */
export const useDependencyAction = () =>
  useOperatorChange('dependencies', ({ action, name }: { action: 'reset' | 'isolate'; name: string }) =>
    action === 'reset'
      ? request<typeof resetDependency>('POST', '/api/monitoring/dependencies/:name/reset', {
          params: { name },
        })
      : request<typeof isolateDependency>('POST', '/api/monitoring/dependencies/:name/isolate', {
          params: { name },
        }),
  );

export type JobAction = 'cancel' | 'retry' | 'discard';

/** Cancels, retries or discards one job. */
export const useJobAction = () =>
  useOperatorChange('jobs', ({ action, job }: { action: JobAction; job: JobView }) => {
    const params = { name: job.name, id: job.id };
    return action === 'cancel'
      ? request<typeof cancelJob>('POST', '/api/monitoring/jobs/:name/:id/cancel', { params })
      : action === 'retry'
        ? request<typeof retryJob>('POST', '/api/monitoring/jobs/:name/:id/retry', { params })
        : request<typeof discardJob>('DELETE', '/api/monitoring/jobs/:name/:id', { params });
  });

/** Pauses a queue in all processes, or has it go on. */
export const usePause = () =>
  useOperatorChange('jobs', ({ name, paused }: JobQueue) =>
    paused
      ? request<typeof resumeQueue>('POST', '/api/monitoring/jobs/:name/resume', { params: { name } })
      : request<typeof pauseQueue>('POST', '/api/monitoring/jobs/:name/pause', { params: { name } }),
  );
