import { Type } from 'typebox';

/** Paths under which other servers offer monitoring. Each redirects to ours. */
const response = { 302: Type.Null({ description: 'Redirect' }) };

export const dashboard = {
  method: 'GET',
  url: '/dashboard',
  schema: { summary: 'Redirects to `/ops`', response },
} as const;

export const alerts = {
  method: 'GET',
  url: '/alerts',
  schema: {
    summary: 'Redirects a browser to `/ops/alerts`, a program to `/api/monitoring/alerts`',
    response,
  },
} as const;

export const metricsStream = {
  method: 'GET',
  url: '/metrics/stream',
  schema: { summary: 'Redirects to `/api/monitoring/stream`, with its query', response },
} as const;

export const serviceMetrics = {
  method: 'GET',
  url: '/metrics/service/:name',
  schema: {
    summary: 'Redirects to `/api/monitoring/performance` of one route',
    params: Type.Object({ name: Type.String({ description: 'Such as `GET /api/notes`', maxLength: 300 }) }),
    response,
  },
} as const;
