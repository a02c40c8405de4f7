import type { ReactNode } from 'react';
import { Icon, type IconName } from './icon.tsx';

/** An empty state: what is missing, and the first step. */
export const Empty = ({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) => (
  <div className="flex flex-col items-center gap-3 px-6 py-12 text-center">
    <Icon name={icon} className="size-6 text-muted" />
    <h2 className="text-base font-medium">{title}</h2>
    {children && (
      <div className="flex max-w-sm flex-col items-center gap-4 text-sm text-balance text-muted">
        {children}
      </div>
    )}
  </div>
);
