import type { RouteFigures } from '#contracts/operations/traffic.ts';
import { Figure } from '@/kit/components/figure.tsx';
import type { Column } from '@/kit/components/table.tsx';
import { RouteLink } from './pieces.tsx';
import { milliseconds, number, percent, perSecond } from './units.ts';

/** A route's name as in the address. */
export const nameOf = ({ method, route }: { method: string; route: string }) => `${method} ${route}`;

/** Avoids dividing by zero. */
const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);

type Measure = {
  header: string;
  value: (row: RouteFigures) => number | null;
  text: (value: number) => string;
};

/** The figures of a route by its name. */
export const MEASURES = {
  requests: { header: 'Requests', value: ({ requests }) => requests, text: number },
  rate: { header: 'Rate', value: ({ requestsPerSecond }) => requestsPerSecond, text: perSecond },
  client: {
    header: 'Client errors',
    value: ({ clientErrors, requests }) => share(clientErrors, requests),
    text: percent,
  },
  errors: { header: 'Errors', value: ({ errors, requests }) => share(errors, requests), text: percent },
  p50: { header: 'p50', value: ({ p50Ms }) => p50Ms, text: milliseconds },
  p95: { header: 'p95', value: ({ p95Ms }) => p95Ms, text: milliseconds },
  p99: { header: 'p99', value: ({ p99Ms }) => p99Ms, text: milliseconds },
  max: { header: 'Slowest', value: ({ maxMs }) => maxMs, text: milliseconds },
} satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;

/** Columns of a table of routes. */
export const columnsOf = (names: ('route' | MeasureName)[]): Column<RouteFigures>[] =>
  names.map((name) => {
    if (name === 'route') return { header: 'Route', cell: (row) => <RouteLink name={nameOf(row)} /> };
    const { header, value, text } = MEASURES[name];
    return {
      header,
      width: '7rem',
      numeric: true,
      cell(row) {
        const found = value(row);
        const shown = <Figure>{found === null ? '–' : text(found)}</Figure>;
        return name === 'errors' && found ? <span className="font-medium text-failing">{shown}</span> : shown;
      },
    };
  });
