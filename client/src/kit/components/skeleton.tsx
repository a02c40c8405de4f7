/** A grey line in the place of words that are on their way. Appears after 150 ms; says nothing to a screen reader. */
export function Skeleton({ className = 'h-4 w-full' }: { className?: string }) {
  return <div aria-hidden="true" className={`appear-late rounded-md bg-hover ${className}`} />;
}
