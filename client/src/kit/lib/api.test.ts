import { type Static, Type } from 'typebox';
import { expect, expectTypeOf, test } from 'vitest';
import { ApiError, explain, fieldErrors, request, UnreachableError } from './api.ts';

const _readOrder = {
  method: 'GET',
  url: '/api/orders/:id',
  schema: {
    params: Type.Object({ id: Type.Integer() }),
    response: { 200: Type.Object({ id: Type.Integer(), total: Type.Number() }) },
  },
} as const;

test('what a contract does not say does not compile', () => {
  // Never called: the types are the test, and `npm run typecheck` runs it.
  const calls = () => [
    request<typeof _readOrder>('GET', '/api/orders/:id', { params: { id: 1 } }),
    // @ts-expect-error another path
    request<typeof _readOrder>('GET', '/api/order/:id', { params: { id: 1 } }),
    // @ts-expect-error another method
    request<typeof _readOrder>('POST', '/api/orders/:id', { params: { id: 1 } }),
    // @ts-expect-error a parameter is missing
    request<typeof _readOrder>('GET', '/api/orders/:id'),
    // @ts-expect-error a body that the contract has none of
    request<typeof _readOrder>('GET', '/api/orders/:id', { params: { id: 1 }, body: {} }),
  ];
  type Order = Static<(typeof _readOrder)['schema']['response'][200]>;
  expectTypeOf(request<typeof _readOrder>).returns.resolves.toEqualTypeOf<Order>();
  expect(calls).toBeTypeOf('function');
});

const problem = {
  type: '/problems/validation',
  title: 'Not valid',
  status: 400,
  detail: 'One value was refused.',
  instance: '/api/orders',
  requestId: 'abc',
};

test('a problem document becomes a message with its request id', () => {
  expect(explain(new ApiError(problem))).toEqual({
    title: 'Not valid',
    detail: 'One value was refused.',
    requestId: 'abc',
  });
  expect(explain(new UnreachableError('def')).requestId).toBe('def');
  expect(explain(new Error('Out of paper'))).toEqual({ title: 'This did not work', detail: 'Out of paper' });
});

test('the messages of a refusal go to the fields they are about', () => {
  const message = 'must be a number';
  const errors = ['/body/total', 'body/profile/age'].map((path) => ({ path, message }));
  expect(fieldErrors(new ApiError({ ...problem, errors }))).toEqual({
    total: message,
    'profile/age': message,
  });
  expect(fieldErrors(new Error('Out of paper'))).toEqual({});
});
