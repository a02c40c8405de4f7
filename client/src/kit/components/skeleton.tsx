/** A placeholder for loading text. It appears after 150 ms and is hidden from screen readers. */
export const Skeleton = ({ className = 'h-4 w-full' }: { className?: string }) => (
  <div aria-hidden="true" className={`appear-late rounded-md bg-skeleton ${className}`} />
);

/** A placeholder for the rows of a table or list. */
export const SkeletonRows = ({ rows = 4 }: { rows?: number }) => (
  <div aria-busy="true" className="rounded-md border bg-surface px-3">
    {Array.from({ length: rows }, (_, row) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
      <div key={row} className="flex h-9 items-center">
        <Skeleton className="h-3 w-1/2" />
      </div>
    ))}
  </div>
);
