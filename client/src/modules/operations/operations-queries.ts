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
const EVERY_MS = 5_000;

/** The polling interval of a query, unless paused. */
export const refreshed = (paused: boolean | undefined) => ({
  refetchInterval: paused ? (false as const) : EVERY_MS,
  refetchOnWindowFocus: !paused,
});

/** Rate, errors and durations of all routes, or of one. */
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
    // Keeps the previous time range visible while the next one loads.
    placeholderData: (previous, query) =>
      query?.queryKey[3] === route ? keepPreviousData(previous) : undefined,
  });

/** Errors by kind with their stacks; fetched while one is open. */
export const errorsQuery = (isOpen: boolean) =>
  queryOptions({
    queryKey: ['operations', 'errors'],
    queryFn: ({ signal, client }) =>
      forOperators(client, request<typeof listErrors>('GET', '/api/monitoring/errors', { signal })),
    enabled: isOpen,
  });

/** Recent log lines with these words, or of this request. */
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

export const silencesQuery = queryOptions({
  queryKey: ['operations', 'silences'],
  queryFn: ({ signal, client }) =>
    forOperators(client, request<typeof listSilences>('GET', '/api/monitoring/silences', { signal })),
});

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

export const configQuery = queryOptions({
  queryKey: ['operations', 'config'],
  queryFn: ({ signal, client }) =>
    forOperators(client, request<typeof readConfig>('GET', '/api/monitoring/config', { signal })),
});

export const readinessQuery = queryOptions({
  queryKey: ['operations', 'readiness'],
  queryFn: ({ signal, client }) =>
    forOperators(
      client,
      request<typeof readProductionReadiness>('GET', '/api/monitoring/production-readiness', { signal }),
    ),
});

export const logLevelQuery = queryOptions({
  queryKey: ['operations', 'log-level'],
  queryFn: ({ signal, client }) =>
    forOperators(client, request<typeof readLogLevel>('GET', '/api/monitoring/log-level', { signal })),
});

export function useChangeLogLevel() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { level: LogLevel; minutes: number }) =>
      forOperators(client, request<typeof changeLogLevel>('PUT', '/api/monitoring/log-level', { body })),
    onSuccess: (now) => client.setQueryData(logLevelQuery.queryKey, now),
  });
}

/** Every health check. The document is the same with 200 and, while a required check fails, with 503. */
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
