/** A grey line in the place of text that is on its way. Appears after 150 ms; silent for screen readers. */
export const Skeleton = ({ className = 'h-4 w-full' }: { className?: string }) => (
  <div aria-hidden="true" className={`appear-late rounded-md bg-skeleton ${className}`} />
);

/** A table or a list before its rows are here. */
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
