import { Link } from '@tanstack/react-router';
import { type ComponentProps, type ReactNode, useId } from 'react';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { inputClass } from '@/kit/components/field.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import type { OperationsSearch } from './operations-search.ts';

/** A part of a screen, with its name. */
export function Panel({
  title,
  note,
  action,
  className = 'mt-8',
  children,
}: {
  title: string;
  note?: ReactNode;
  action?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <div className={`min-w-0 ${className}`}>
      <div className="mb-3 flex min-h-8 flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <h2 className="text-base">{title}</h2>
          {note !== undefined && <p className="min-h-[1lh] max-w-prose text-sm text-muted">{note}</p>}
        </div>
        {action}
      </div>
      {children}
    </div>
  );
}

/** What a table or a list looks like before its rows are here. */
export function RowsToCome({ rows = 4 }: { rows?: number }) {
  return (
    <div aria-busy="true" className="rounded-md border bg-surface px-3">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
        <div key={row} className="flex h-9 items-center">
          <Skeleton className="h-3 w-1/2" />
        </div>
      ))}
    </div>
  );
}

/** A number that changes: flush right, a wider one would count as moved if it were the same element. */
export const Figure = ({ children }: { children: string }) => <span key={children}>{children}</span>;

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

/** The browser's own list of choices, with a label that may be for those who listen only. */
export function Choice({
  label,
  hidden = false,
  children,
  ...rest
}: ComponentProps<'select'> & { label: string; hidden?: boolean }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className={hidden ? 'sr-only' : 'mb-1 block text-sm font-medium'}>
        {label}
      </label>
      <select id={id} className={`${inputClass} w-auto min-w-28 pr-2`} {...rest}>
        {children}
      </select>
    </div>
  );
}

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

/** Text as a machine wrote it, in a box that scrolls by itself, to copy. */
export function Code({ label, text, copied = text }: { label: string; text: string; copied?: string }) {
  return (
    <div className="mt-3 flex items-start gap-1 rounded-md border bg-background pl-3">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section aria-label={label} tabIndex={0} className="relative max-h-72 min-w-0 grow overflow-auto py-2">
        <pre className="font-mono text-xs">{text}</pre>
      </section>
      <CopyButton text={copied} label={`Copy: ${label.toLowerCase()}`} />
    </div>
  );
}
