import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import type { createSilence, deleteSilence, listSilences } from '#contracts/operations/alerts.ts';
import type { readConfig, readProductionReadiness } from '#contracts/operations/deployment.ts';
import type {
  changeLogLevel,
  LogLevel,
  listErrors,
  readLogLevel,
  readLogs,
} from '#contracts/operations/log.ts';
import type { readPerformance, TrafficWindow } from '#contracts/operations/traffic.ts';
import type { getHealth, Health } from '#contracts/probes.ts';
import { ApiError, request } from '@/kit/lib/api.ts';
import { forOperators } from '@/kit/operator/session.ts';

/** How often the tables in view are fetched, in milliseconds. */
export const EVERY_MS = 5_000;

/** A query without parameters. */
const reads = <Answer>(name: string, ask: (options: { signal: AbortSignal }) => Promise<Answer>) =>
  queryOptions({
    queryKey: ['operations', name],
    queryFn: ({ signal, client }) => forOperators(client, ask({ signal })),
  });

/** Rate, errors and durations: of all routes, or of one. */
export const performanceQuery = (window: TrafficWindow, route?: string) =>
  queryOptions({
    queryKey: ['operations', 'performance', window, route],
    queryFn: ({ signal, client }) =>
      forOperators(
        client,
        request<typeof readPerformance>('GET', '/api/monitoring/performance', {
          query: { window, ...(route === undefined ? {} : { route }) },
          signal,
        }),
      ),
    // Another window of the same route replaces this one without a skeleton between.
    placeholderData: (previous, query) =>
      query?.queryKey[3] === route ? keepPreviousData(previous) : undefined,
  });

/** Errors by kind, with their stacks. */
export const errorsQuery = reads('errors', (options) =>
  request<typeof listErrors>('GET', '/api/monitoring/errors', options),
);

/** Lines at the end of the log with a text, or of a request. */
export const logsQuery = (level: LogLevel, search: string | undefined, requestId: string | undefined) =>
  queryOptions({
    queryKey: ['operations', 'logs', level, search, requestId],
    queryFn: ({ signal, client }) =>
      forOperators(
        client,
        request<typeof readLogs>('GET', '/api/monitoring/logs', {
          query: {
            level,
            limit: 1_000,
            ...(search === undefined ? {} : { search }),
            ...(requestId === undefined ? {} : { requestId }),
          },
          signal,
        }),
      ),
    enabled: search !== undefined || requestId !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 0,
  });

export const silencesQuery = reads('silences', (options) =>
  request<typeof listSilences>('GET', '/api/monitoring/silences', options),
);

export function useCreateSilence() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { alert: string; comment: string; minutes: number }) =>
      forOperators(client, request<typeof createSilence>('POST', '/api/monitoring/silences', { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: silencesQuery.queryKey }),
  });
}

export function useEndSilence() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: number) =>
      forOperators(
        client,
        request<typeof deleteSilence>('DELETE', '/api/monitoring/silences/:id', { params: { id } }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: silencesQuery.queryKey }),
  });
}

export const configQuery = reads('config', (options) =>
  request<typeof readConfig>('GET', '/api/monitoring/config', options),
);

export const readinessQuery = reads('production-readiness', (options) =>
  request<typeof readProductionReadiness>('GET', '/api/monitoring/production-readiness', options),
);
export const logLevelQuery = reads('log-level', (options) =>
  request<typeof readLogLevel>('GET', '/api/monitoring/log-level', options),
);

export function useChangeLogLevel() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { level: LogLevel; minutes: number }) =>
      forOperators(client, request<typeof changeLogLevel>('PUT', '/api/monitoring/log-level', { body })),
    onSuccess: (now) => client.setQueryData(logLevelQuery.queryKey, now),
  });
}

/** Every check by name. The answer is the same document with 200 and, while a required check fails, with 503. */
export const healthQuery = queryOptions({
  queryKey: ['operations', 'health'],
  queryFn: async ({ signal }): Promise<Health> => {
    try {
      return await request<typeof getHealth>('GET', '/health', { signal });
    } catch (error) {
      if (error instanceof ApiError && 'checks' in error.problem) return error.problem as unknown as Health;
      throw error;
    }
  },
});
