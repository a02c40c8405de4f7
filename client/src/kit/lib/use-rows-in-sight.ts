import { useCallback, useRef, useState } from 'react';

/** Rows rendered above and below the viewport, so that fast scrolling shows no gap. */
const AROUND = 8;

/**
 * Virtualizes a list of rows of equal height: the cost of scrolling does not depend on the number of rows.
 *
 * @param count Rows in all.
 * @param rowPx Height of a row in pixels.
 * @returns `ref` for the element that scrolls; `first` and `end`, the rows to draw; `reveal`, which scrolls as far as a
 *   row needs to be in sight, and no further.
 */
export function useRowsInSight(count: number, rowPx: number) {
  const scroller = useRef<HTMLElement>(null);
  const [{ first, end }, setRange] = useState({ first: 0, end: 0 });

  const measure = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    const first = Math.max(0, Math.floor(element.scrollTop / rowPx) - AROUND);
    const end = Math.ceil((element.scrollTop + element.clientHeight) / rowPx) + AROUND;
    setRange((before) => (before.first === first && before.end === end ? before : { first, end }));
  }, [rowPx]);

  const ref = useCallback(
    (element: HTMLElement | null) => {
      if (!element) return;
      scroller.current = element;
      measure();
      element.addEventListener('scroll', measure, { passive: true });
      const sizes = new ResizeObserver(measure);
      sizes.observe(element);
      return () => {
        sizes.disconnect();
        element.removeEventListener('scroll', measure);
        scroller.current = null;
      };
    },
    [measure],
  );

  const reveal = (index: number) => {
    const element = scroller.current;
    if (!element) return;
    const top = index * rowPx;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowPx > element.scrollTop + element.clientHeight)
      element.scrollTop = top + rowPx - element.clientHeight;
    measure();
  };

  return { ref, scroller, first: Math.min(first, count), end: Math.min(end, count), reveal };
}
