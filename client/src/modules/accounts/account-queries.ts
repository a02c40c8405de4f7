import { type QueryKey, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import type { readAccount } from '#contracts/accounts/account.ts';
import type { listKeys } from '#contracts/accounts/keys.ts';
import type { listPasskeys } from '#contracts/accounts/passkeys.ts';
import type { listSessions } from '#contracts/accounts/sessions.ts';
import { request } from '@/kit/lib/api.ts';

export const accountQuery = queryOptions({
  queryKey: ['account'],
  queryFn: ({ signal }) => request<typeof readAccount>('GET', '/api/account', { signal }),
});
export const passkeysQuery = queryOptions({
  queryKey: ['account-passkeys'],
  queryFn: ({ signal }) => request<typeof listPasskeys>('GET', '/api/account/passkeys', { signal }),
});
export const sessionsQuery = queryOptions({
  queryKey: ['account-sessions'],
  queryFn: ({ signal }) => request<typeof listSessions>('GET', '/api/account/sessions', { signal }),
});
export const keysQuery = queryOptions({
  queryKey: ['account-keys'],
  queryFn: ({ signal }) => request<typeof listKeys>('GET', '/api/account/keys', { signal }),
});

/** An act, after which what it has changed is read again. It resolves when that is on screen. */
export function useAct<Input = void, Output = unknown>(
  act: (input: Input) => Promise<Output>,
  ...changed: QueryKey[]
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => Promise.all(changed.map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}
