import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import type { Identity, Part } from '../../platform/parts.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const shop = (permission = 'orders:write'): Part => ({
  name: 'shop',
  permissions: { 'orders:write': 'Change orders.' },
  eventTopics: { orders: { access: { permission } } },
});
const make = (part: Part, identity: Identity | 'none') =>
  createTestApp(database.url, {}, { features: [() => part], identity });

it('a topic with a permission is for users who have it, and names it to the identity', async () => {
  const asked: unknown[] = [];
  await using server = await make(shop(), {
    async identify(_request, permission) {
      asked.push(permission);
      return { userId: 'bob', permissions: new Set() };
    },
  });
  expect((await server.app.inject('/api/events?topics=orders')).statusCode).toBe(403);
  expect(asked).toEqual(['orders:write']);
});

it('a topic with a permission that no part declares fails the start', async () => {
  await expect(make(shop('orders:wirte'), 'none')).rejects.toThrow(
    "The topic 'orders': No part declares the permission 'orders:wirte' in its permissions.",
  );
});
