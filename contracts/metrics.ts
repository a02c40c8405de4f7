import { Type } from 'typebox';
import { Problem } from './problem.ts';

/** Metrics since the start of the process, for scrapers. */
export const scrape = {
  method: 'GET',
  url: '/metrics',
  schema: {
    summary: "Metrics for Prometheus; requires the operators' key",
    response: {
      200: Type.String({ description: "Prometheus' text format" }),
      401: Problem,
      404: Problem,
    },
  },
} as const;
