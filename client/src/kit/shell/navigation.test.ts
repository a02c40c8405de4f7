import { createMemoryHistory, createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { expect, it } from 'vitest';
import { crumbsOf, navigationOf, placeOf } from './navigation.ts';
import type {} from './screen.ts';

const root = createRootRoute();
const icon = 'note' as const;
const at = (path: string, staticData: NonNullable<Parameters<typeof createRoute>[0]['staticData']> = {}) =>
  createRoute({ getParentRoute: () => root, path, staticData });
const Menu = () => null;

const router = createRouter({
  history: createMemoryHistory(),
  routeTree: root.addChildren([
    at('/', { navigation: { label: 'Home', icon } }),
    at('/users', {
      navigation: { label: 'Users', icon, group: 'Admin' },
      isFor: ({ isOperator }) => isOperator,
    }),
    at('/last', { navigation: { label: 'Last', icon, order: 9 } }),
    at('/notes', { navigation: { label: 'Notes', icon } }),
    at('/ops', { navigation: { label: 'Operations', icon, group: 'Admin' }, forOperators: true }),
    at('/ops/logs', { crumb: 'Logs' }),
    at('/ops/logs/$id', { crumb: 'Entry' }),
    at('/mail', { navigation: { label: 'Mail', icon, group: 'Tools', order: -1 } }),
    at('/account', { places: { user: Menu } }),
  ]),
});
const labels = (isOperator: boolean) => navigationOf(router, { isOperator }).map(({ label }) => label);

it('orders and groups the navigation', () => {
  expect(labels(true)).toEqual(['Home', 'Notes', 'Last', 'Mail', 'Users', 'Operations']);
});

it('offers what the visitor may enter', () => {
  expect(labels(false)).toEqual(['Home', 'Notes', 'Last', 'Mail']);
});

it('finds what a part puts into a place', () => {
  expect(placeOf(router, 'user')).toBe(Menu);
  expect(placeOf(router, 'organisation')).toBeUndefined();
});

it('shows the way to a screen below another', () => {
  expect(crumbsOf(router, '/ops/logs')).toEqual([{ label: 'Operations', to: '/ops' }, { label: 'Logs' }]);
  expect(crumbsOf(router, '/ops/logs/7')).toEqual([
    { label: 'Operations', to: '/ops' },
    { label: 'Logs', to: '/ops/logs' },
    { label: 'Entry' },
  ]);
  for (const path of ['/', '/ops', '/notes', '/no/such/screen', '/ops/nothing'])
    expect(crumbsOf(router, path), path).toEqual([]);
});
