import type { ReactNode } from 'react';
import { Button } from './button.tsx';

type Props = {
  /** What the pages are of, where a screen has several. */
  label?: string;
  /** What is shown: "50 of about 1,200 notes". */
  children?: ReactNode;
  /** Absent where there is no page on that side. */
  onPrevious?: (() => void) | undefined;
  onNext?: (() => void) | undefined;
};

/** Pages by key: the one before and the one after. A keyset knows no page numbers, and stays as fast at the end. */
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
