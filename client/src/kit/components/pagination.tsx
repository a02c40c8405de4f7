import type { ReactNode } from 'react';
import { Button } from './button.tsx';

type Props = {
  /** The accessible name; set it where a screen has several. */
  label?: string;
  /** A summary, such as "50 of about 1,200 notes". */
  children?: ReactNode;
  /** Undefined where there is no previous (or next) page. */
  onPrevious?: (() => void) | undefined;
  onNext?: (() => void) | undefined;
};

/** Keyset pagination: previous and next. A keyset has no page numbers, and its last page is as fast as its first. */
export const Pagination = ({ label = 'Pages', children, onPrevious, onNext }: Props) => (
  <nav aria-label={label} className="flex flex-wrap items-center justify-between gap-2 text-sm text-muted">
    <p className="tabular-nums">{children}</p>
    <div className="flex gap-2">
      <Button variant="outline" size="sm" disabled={!onPrevious} onClick={onPrevious}>
        Previous
      </Button>
      <Button variant="outline" size="sm" disabled={!onNext} onClick={onNext}>
        Next
      </Button>
    </div>
  </nav>
);
