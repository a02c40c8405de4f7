/** A number that changes, flush right: with a key of its own it counts as replaced and not as moved. */
export const Figure = ({ children }: { children: string }) => (
  <span key={children} className="tabular-nums">
    {children}
  </span>
);
