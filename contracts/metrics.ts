import { Type } from 'typebox';
import { Problem } from './problem.ts';

/** Where scrapers look for what is measured since the process began. */
export const scrape = {
  method: 'GET',
  url: '/metrics',
  schema: {
    summary: "Metrics for a scraper that has the operators' key",
    response: {
      200: Type.String({ description: "Prometheus' text format" }),
      401: Problem,
      404: Problem,
    },
  },
} as const;
