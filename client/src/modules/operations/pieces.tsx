import { Link } from '@tanstack/react-router';
import { Choice } from '@/kit/components/native-select.tsx';
import type { OperationsSearch } from './operations-search.ts';

const linkClass =
  'inline-flex min-h-6 items-center underline decoration-border underline-offset-4 transition-colors hover:decoration-current pointer-coarse:min-h-11 max-md:min-h-11';

/** The end of an id; ids of one process share the beginning. */
export const ShortId = ({ id }: { id: string }) => <span>{id.length > 12 ? `…${id.slice(-11)}` : id}</span>;

/** A link to the log lines of a request. */
export function RequestLink({ id }: { id: string }) {
  return (
    <Link
      to="/ops/logs"
      search={keeping({ requestId: id, level: 'trace' })}
      title={`Log lines of request ${id}`}
      className={`${linkClass} font-mono text-xs`}
    >
      <ShortId id={id} />
    </Link>
  );
}

/** A link to a route's page. */
export function RouteLink({ name }: { name: string }) {
  return (
    <Link
      to="/ops/routes"
      search={keeping({ route: name })}
      className={`${linkClass} max-w-full font-mono text-xs`}
    >
      <span className="block truncate" title={name}>
        {name}
      </span>
    </Link>
  );
}

/** Changes the search parameters but keeps the time range and the pause. */
export const keeping =
  (change: OperationsSearch = {}) =>
  ({ window, paused }: OperationsSearch): OperationsSearch => ({
    ...(window ? { window } : {}),
    ...(paused ? { paused } : {}),
    ...change,
  });

/** A choice of duration. @param spans Minutes and their labels. */
export function SpanChoice({
  spans,
  defaultValue,
}: {
  spans: readonly (readonly [minutes: number, words: string])[];
  defaultValue: number;
}) {
  return (
    <Choice label="For" name="minutes" defaultValue={defaultValue}>
      {spans.map(([minutes, words]) => (
        <option key={minutes} value={minutes}>
          {words}
        </option>
      ))}
    </Choice>
  );
}
