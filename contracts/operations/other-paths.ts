import { Type } from 'typebox';

/** What guides of other servers call the paths of monitoring. Each leads to ours. */
const leads = { 302: Type.Null({ description: 'To the path of ours' }) };

export const dashboard = {
  method: 'GET',
  url: '/dashboard',
  schema: { summary: 'Leads to `/ops`', response: leads },
} as const;

export const alerts = {
  method: 'GET',
  url: '/alerts',
  schema: {
    summary: 'Leads a browser to `/ops/alerts`, a program to `/api/monitoring/alerts`',
    response: leads,
  },
} as const;

export const metricsStream = {
  method: 'GET',
  url: '/metrics/stream',
  schema: { summary: 'Leads to `/api/monitoring/stream`, with its query', response: leads },
} as const;

export const serviceMetrics = {
  method: 'GET',
  url: '/metrics/service/:name',
  schema: {
    summary: 'Leads to `/api/monitoring/performance` of one route',
    params: Type.Object({ name: Type.String({ description: 'As `GET /api/notes`', maxLength: 300 }) }),
    response: leads,
  },
} as const;
