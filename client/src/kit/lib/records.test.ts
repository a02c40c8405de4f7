import { InfiniteQueryObserver, QueryClient } from '@tanstack/react-query';
import { Type } from 'typebox';
import { expect, test, vi } from 'vitest';
import { records } from './records.ts';

const Order = Type.Object({ id: Type.Integer(), version: Type.Integer() });
const Page = Type.Object({ items: Type.Array(Order), nextCursor: Type.Union([Type.String(), Type.Null()]) });
const one = {
  method: 'GET',
  url: '/api/orders/:id',
  schema: { body: Order, response: { 200: Order } },
} as const;
const list = {
  method: 'GET',
  url: '/api/orders',
  schema: { querystring: Type.Object({ search: Type.String() }), response: { 200: Page } },
} as const;
const orders = records(
  'orders',
  { list, read: one, create: one, change: one, delete: one, restore: one },
  { rowOf: (order) => order, titleOf: ({ id }) => String(id) },
);

test('a record that comes has a filtered list read once', async () => {
  const send = vi.fn(async () => Response.json({ items: [], nextCursor: null }));
  vi.stubGlobal('fetch', send);
  const client = new QueryClient();
  const observer = new InfiniteQueryObserver(client, orders.listQuery({ search: 'a' }));
  const leave = observer.subscribe(() => {});
  await vi.waitFor(() => expect(observer.getCurrentResult().isSuccess).toBe(true));
  send.mockClear();
  orders.put(client, { id: 1, version: 1 });
  await vi.waitFor(() => expect(observer.getCurrentResult().isFetching).toBe(false));
  expect(send).toHaveBeenCalledTimes(1);
  leave();
});
