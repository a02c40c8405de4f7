import { type QueryClient, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import type { readSession, Session, signIn, signOut } from '#contracts/session.ts';
import { ApiError, request } from '@/kit/lib/api.ts';

/** Whether an operator is signed in in this browser. */
export const sessionQuery = queryOptions({
  queryKey: ['operator-session'],
  queryFn: ({ signal }) => request<typeof readSession>('GET', '/api/operations/session', { signal }),
  staleTime: 60_000,
});

const SIGNED_OUT = { signedIn: false, expiresAt: null };

/** Wraps an operators' request. On 401 it marks the session as ended, and the screen asks to sign in again. */
export async function forOperators<Answer>(client: QueryClient, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 401) {
      client.setQueryData<Session>(sessionQuery.queryKey, (before) => ({ ...before, ...SIGNED_OUT }));
    }
    throw error;
  }
}

/** A change by an operator; afterwards everything under `key` is read again. */
export function useOperatorChange<Input, Result>(key: string, change: (input: Input) => Promise<Result>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (input: Input) => forOperators(client, change(input)),
    onSettled: () => client.invalidateQueries({ queryKey: [key] }),
  });
}

/** Exchanges the operators' key, or the token of a printed link, for a session. */
export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { key: string } | { token: string }) =>
      request<typeof signIn>('POST', '/api/operations/session', { body }),
    onSuccess: (session) => client.setQueryData(sessionQuery.queryKey, session),
  });
}

/** Ends the session and clears the query cache, which holds operators' data. */
export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => request<typeof signOut>('DELETE', '/api/operations/session'),
    onSuccess: () => {
      client.removeQueries({ predicate: ({ queryKey: [first] }) => first !== sessionQuery.queryKey[0] });
      client.setQueryData<Session>(sessionQuery.queryKey, SIGNED_OUT);
    },
  });
}
