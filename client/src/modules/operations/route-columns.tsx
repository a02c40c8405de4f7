import type { RouteFigures } from '#contracts/operations/traffic.ts';
import type { DataColumn } from '@/kit/components/data-table.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { milliseconds, number, percent, perSecond } from '@/kit/lib/format.ts';
import { RouteLink } from './components.tsx';

/** A route's name in the address. */
export const nameOf = ({ method, route }: { method: string; route: string }) => `${method} ${route}`;

const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);

type Measure = [
  header: string,
  value: (row: RouteFigures) => number | null,
  format: (value: number) => string,
];

/** The figures of a route by their names in the address. */
export const MEASURES = {
  requests: ['Requests', ({ requests }) => requests, number],
  rate: ['Rate', ({ requestsPerSecond }) => requestsPerSecond, perSecond],
  client: ['Client errors', ({ clientErrors, requests }) => share(clientErrors, requests), percent],
  errors: ['Errors', ({ errors, requests }) => share(errors, requests), percent],
  p50: ['p50', ({ p50Ms }) => p50Ms, milliseconds],
  p95: ['p95', ({ p95Ms }) => p95Ms, milliseconds],
  p99: ['p99', ({ p99Ms }) => p99Ms, milliseconds],
  max: ['Slowest', ({ maxMs }) => maxMs, milliseconds],
} satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;

/** Columns of a table of routes. */
export const columnsOf = (names: ('route' | MeasureName)[]): DataColumn<RouteFigures>[] =>
  names.map((name) => {
    if (name === 'route')
      return { header: 'Route', fixed: true, value: nameOf, cell: (row) => <RouteLink name={nameOf(row)} /> };
    const [header, value, format] = MEASURES[name];
    return {
      header,
      width: name === 'client' ? '8rem' : '6.5rem',
      numeric: true,
      // Below 0, so that routes without a measurement come last where the slowest come first.
      value: (row) => value(row) ?? -1,
      cell(row) {
        const found = value(row);
        return (
          <span className={name === 'errors' && found ? 'font-medium text-failing' : ''}>
            <Figure>{found === null ? '–' : format(found)}</Figure>
          </span>
        );
      },
    };
  });
