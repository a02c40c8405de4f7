import type { Route } from '@playwright/test';

/** Answers as the server does where a value of the body is not valid. @param path `/body/title` */
export const refuse = (route: Route, path: string, message: string, detail?: string) =>
  route.fulfill({
    status: 400,
    contentType: 'application/problem+json',
    json: {
      type: '/problems/validation',
      title: 'The request is not valid',
      status: 400,
      detail,
      instance: new URL(route.request().url()).pathname,
      requestId: '4f1c0d2e9a7b4c55',
      errors: [{ path, message }],
    },
  });
