/** A right-aligned number that changes. Its key replaces the element, so that a wider number is no layout shift. */
export const Figure = ({ children }: { children: string }) => (
  <span key={children} className="tabular-nums">
    {children}
  </span>
);
