import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { Static } from 'typebox';
import type { listInvitations, listRoles, listUsers, readUser } from '#contracts/accounts/admin.ts';
import type { PageQuery } from '#contracts/page.ts';
import { request } from '@/kit/lib/api.ts';

export type UserFilter = Omit<Static<typeof listUsers.schema.querystring>, keyof PageQuery>;

export const usersQuery = (filter: UserFilter, cursor: string | undefined) =>
  queryOptions({
    queryKey: ['users', 'list', filter, cursor],
    queryFn: ({ signal }) =>
      request<typeof listUsers>('GET', '/api/admin/users', {
        query: { ...filter, ...(cursor !== undefined && { cursor }), limit: 50 },
        signal,
      }),
    // Pages and searches follow one another without a gap.
    placeholderData: keepPreviousData,
  });
export const userQuery = (id: string) =>
  queryOptions({
    queryKey: ['users', 'one', id],
    queryFn: ({ signal }) =>
      request<typeof readUser>('GET', '/api/admin/users/:id', { params: { id }, signal }),
  });
/** Those that are given to some: everybody has `user`. */
export const rolesQuery = queryOptions({
  queryKey: ['roles'],
  queryFn: ({ signal }) => request<typeof listRoles>('GET', '/api/admin/roles', { signal }),
  select: ({ roles }) => roles.filter(({ name }) => name !== 'user'),
});
export const invitationsQuery = queryOptions({
  queryKey: ['invitations'],
  queryFn: ({ signal }) => request<typeof listInvitations>('GET', '/api/admin/invitations', { signal }),
});
