/** A keyboard key. */
export function Kbd({ children }: { children: string }) {
  return (
    <kbd className="inline-flex h-5 min-w-5 items-center justify-center rounded-md border bg-background px-1 font-sans text-xs whitespace-nowrap text-muted">
      {children}
    </kbd>
  );
}
