import { keepPreviousData, queryOptions, useQueryClient } from '@tanstack/react-query';
import type {
  addSuppression,
  listOutbox,
  listSuppressions,
  readMail,
  removeSuppression,
  retryMail,
} from '#contracts/mail.ts';
import { request } from '@/kit/lib/api.ts';
import { eventsAreSupplied, useEvents } from '@/kit/lib/events.ts';
import { forOperators, useOperatorChange } from '@/kit/operator/session.ts';
import type { MailSearch } from './mail-search.ts';

/** Poll interval while the screen is open, in milliseconds: where events tell of jobs, it is for mails that no job moves. */
const refetchInterval = () => (eventsAreSupplied() ? 15_000 : 3_000);
const PAGE = 50;

export const overviewQuery = queryOptions({
  queryKey: ['mail', 'overview'],
  queryFn: ({ signal, client }) =>
    forOperators(client, request<typeof readMail>('GET', '/api/monitoring/mail', { signal })),
  refetchInterval,
});

/** @param address One recipient's; it stays out of the page's address, which browsers keep. */
export const outboxQuery = ({ state, template }: MailSearch, address: string, cursor: string | undefined) =>
  queryOptions({
    queryKey: ['mail', 'outbox', { state, template, address, cursor }],
    queryFn: ({ signal, client }) =>
      forOperators(
        client,
        request<typeof listOutbox>('GET', '/api/monitoring/mail/outbox', {
          query: {
            limit: PAGE,
            ...(state && { state }),
            ...(template && { template }),
            ...(address && { address }),
            ...(cursor && { cursor }),
          },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval,
  });

export const suppressionsQuery = (address: string, cursor: string | undefined) =>
  queryOptions({
    queryKey: ['mail', 'suppressions', { address, cursor }],
    queryFn: ({ signal, client }) =>
      forOperators(
        client,
        request<typeof listSuppressions>('GET', '/api/monitoring/mail/suppressions', {
          query: { limit: PAGE, ...(address && { address }), ...(cursor && { cursor }) },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** Reads again what is shown when a job began or ended: jobs send the mails. */
export function useMailEvents() {
  const client = useQueryClient();
  useEvents('jobs', () => client.invalidateQueries({ queryKey: ['mail'] }));
}

export const useRetry = () =>
  useOperatorChange('mail', (id: number) =>
    request<typeof retryMail>('POST', '/api/monitoring/mail/outbox/:id/retry', { params: { id } }),
  );

export const useSuppress = () =>
  useOperatorChange('mail', (address: string) =>
    request<typeof addSuppression>('POST', '/api/monitoring/mail/suppressions', { body: { address } }),
  );

export const useUnsuppress = () =>
  useOperatorChange('mail', (id: number) =>
    request<typeof removeSuppression>('DELETE', '/api/monitoring/mail/suppressions/:id', { params: { id } }),
  );
