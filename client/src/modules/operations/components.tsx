import { type DefaultError, type QueryKey, type UseQueryOptions, useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { InlineCode } from '@/kit/components/code.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { EVERY_MS } from './operations-queries.ts';
import type { OperationsSearch } from './operations-search.ts';

const linkClass =
  'inline-flex min-h-6 max-w-full items-center font-mono text-xs underline decoration-border underline-offset-4 transition-colors hover:decoration-current pointer-coarse:min-h-11 max-md:min-h-11';

/** The end of an id: ids of one process begin alike. */
export const shortId = (id: string) => (id.length > 12 ? `…${id.slice(-11)}` : id);

/** A link to the log lines of a request. */
export const RequestLink = ({ id }: { id: string }) => (
  <Link
    to="/ops/logs"
    search={keeping({ requestId: id, level: 'trace' })}
    title={`Log lines of request ${id}`}
    className={linkClass}
  >
    {shortId(id)}
  </Link>
);

/** A link to the page of a route. */
export const RouteLink = ({ name }: { name: string }) => (
  <Link to="/ops/routes" search={keeping({ route: name })} className={linkClass}>
    <span className="block truncate" title={name}>
      {name}
    </span>
  </Link>
);

/** Changes the address and keeps the time range and the pause. */
export const keeping =
  (change: OperationsSearch = {}) =>
  ({ window, paused }: OperationsSearch): OperationsSearch => ({
    ...(window ? { window } : {}),
    ...(paused ? { paused } : {}),
    ...change,
  });

/** `useQuery`, repeated every 5 s unless the screen is paused. */
export function useRefreshed<Data, Key extends QueryKey>(
  query: UseQueryOptions<Data, DefaultError, Data, Key>,
) {
  const { paused } = useSearch({ strict: false });
  return useQuery({ ...query, refetchInterval: !paused && EVERY_MS, refetchOnWindowFocus: !paused });
}

/** What a query found; a skeleton before that, and an error where it failed. */
export function Loaded<Data>({
  query: { data, error, refetch },
  rows = 6,
  children,
}: {
  query: { data: Data | undefined; error: unknown; refetch: () => unknown };
  rows?: number;
  children: (data: Data) => ReactNode;
}) {
  if (data !== undefined) return children(data);
  return error ? <ErrorState error={error} onRetry={refetch} /> : <SkeletonRows rows={rows} />;
}

/** A text in which `backticks` mark code. */
export const WithCode = ({ children }: { children: string }) =>
  children
    .split('`')
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text
    .map((part, index) => (index % 2 === 0 ? part : <InlineCode key={index}>{part}</InlineCode>));

/** For how long a change applies. @param spans Minutes, and the words for them. */
export const SpanChoice = ({
  spans,
  defaultValue,
}: {
  spans: readonly (readonly [minutes: number, words: string])[];
  defaultValue: number;
}) => (
  <Choice label="For" name="minutes" defaultValue={defaultValue}>
    {spans.map(([minutes, words]) => (
      <option key={minutes} value={minutes}>
        {words}
      </option>
    ))}
  </Choice>
);
