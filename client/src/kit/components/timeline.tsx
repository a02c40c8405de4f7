import type { ReactNode } from 'react';
import { type State, StateMark } from './state-badge.tsx';

export type TimelineItem = {
  id: string;
  /** The time as shown. */
  at: string;
  dateTime?: string;
  title: ReactNode;
  state?: State;
  children?: ReactNode;
};

/** Events in order. */
export const Timeline = ({ items }: { items: TimelineItem[] }) => (
  <ol className="w-full text-sm">
    {items.map(({ id, at, dateTime, title, state, children }) => (
      <li key={id} className="group grid grid-cols-[12px_1fr] gap-x-3">
        <span aria-hidden="true" className="flex flex-col items-center">
          <span className="flex h-5 items-center">
            {state ? <StateMark state={state} /> : <span className="size-1.5 rounded-full bg-muted" />}
          </span>
          <span className="w-px grow bg-border group-last:hidden" />
        </span>
        <div className="min-w-0 pb-5 group-last:pb-0">
          <p className="flex flex-wrap justify-between gap-x-4">
            <span className="font-medium">{title}</span>
            <time dateTime={dateTime} className="text-muted tabular-nums">
              {at}
            </time>
          </p>
          {children && <div className="mt-0.5 text-muted">{children}</div>}
        </div>
      </li>
    ))}
  </ol>
);
