import { Link } from '@tanstack/react-router';
import { Choice } from '@/kit/components/native-select.tsx';
import type { OperationsSearch } from './operations-search.ts';

const linkClass =
  'inline-flex min-h-6 items-center underline decoration-border underline-offset-4 transition-colors hover:decoration-current pointer-coarse:min-h-11 max-md:min-h-11';

/** The end of an id: of those that one process made, the beginning is the same. */
export const ShortId = ({ id }: { id: string }) => <span>{id.length > 12 ? `…${id.slice(-11)}` : id}</span>;

/** Leads to the lines that the log holds of a request. */
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

/** Leads to the page of a route. */
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

/** Changes an address without losing how far back it looks, and whether it stands still. */
export const keeping =
  (change: OperationsSearch = {}) =>
  ({ window, paused }: OperationsSearch): OperationsSearch => ({
    ...(window ? { window } : {}),
    ...(paused ? { paused } : {}),
    ...change,
  });

/** For how long something is to hold. @param spans Minutes, and the words for them. */
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
