import type { ReactNode } from 'react';
import { Icon } from './icon.tsx';
import { ScreenHeading } from './screen-heading.tsx';

/** 403: the user may not see this. `detail` says who can change that; `children` are links out. */
export const NotPermitted = ({
  title = 'You do not have access',
  screen = false,
  detail,
  children,
}: {
  title?: string;
  /** In place of a whole screen. */
  screen?: boolean;
  detail: ReactNode;
  children?: ReactNode;
}) => (
  <div className="mx-auto flex max-w-md flex-col items-start gap-3 px-4 py-12">
    <Icon name="lock" className="size-6 text-muted" />
    {screen ? <ScreenHeading title={title} /> : <h2 className="text-lg">{title}</h2>}
    <p className="text-muted">{detail}</p>
    {children && <div className="mt-1 flex flex-wrap gap-2">{children}</div>}
  </div>
);
