import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { listMailbox, readMailboxMail } from '#contracts/mail.ts';
import { request } from '@/kit/lib/api.ts';

/** Every few seconds, in milliseconds: a developer waits for the mail that was just sent. */
const EVERY_MS = 2_000;

/** @param signedIn Whether an operator is, so that it is asked again after a sign-in. */
export const mailboxQuery = (signedIn: boolean) =>
  infiniteQueryOptions({
    queryKey: ['mailbox', 'list', signedIn],
    queryFn: ({ pageParam, signal }) =>
      request<typeof listMailbox>('GET', '/api/dev/mail', {
        query: { limit: 100, ...(pageParam && { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextCursor }) => nextCursor ?? undefined,
    // Not while it is refused: the form to sign in would lose what is typed.
    refetchInterval: ({ state }) => state.data !== undefined && EVERY_MS,
    refetchOnWindowFocus: ({ state }) => state.data !== undefined && 'always',
  });

export const mailQuery = (id: string) =>
  queryOptions({
    queryKey: ['mailbox', 'one', id],
    queryFn: ({ signal }) =>
      request<typeof readMailboxMail>('GET', '/api/dev/mail/:id', { params: { id: Number(id) }, signal }),
    // A mail does not change.
    staleTime: Number.POSITIVE_INFINITY,
  });

export const sourceQuery = (id: string) =>
  queryOptions({
    queryKey: ['mailbox', 'source', id],
    async queryFn({ signal }) {
      const answer = await fetch(`/api/dev/mail/${encodeURIComponent(id)}/source`, { signal });
      if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
      return answer.text();
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
