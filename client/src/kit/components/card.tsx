import type { ComponentProps, ReactNode } from 'react';
import { cn } from '@/kit/lib/styles.ts';

/** A bordered box. */
export const Card = ({ className, ...rest }: ComponentProps<'div'>) => (
  <div className={cn('rounded-lg border bg-surface', className)} {...rest} />
);

export const CardHeader = ({
  title,
  description,
  action,
}: {
  title: ReactNode;
  description?: ReactNode;
  action?: ReactNode;
}) => (
  <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-5 pt-4">
    <div className="min-w-0">
      <h2 className="text-base">{title}</h2>
      {description && <p className="text-sm text-muted">{description}</p>}
    </div>
    {action}
  </div>
);

export const CardContent = ({ className, ...rest }: ComponentProps<'div'>) => (
  <div className={cn('px-5 py-4', className)} {...rest} />
);

export const CardFooter = ({ className, ...rest }: ComponentProps<'div'>) => (
  <div
    className={cn('flex flex-wrap items-center justify-end gap-2 border-t px-5 py-3', className)}
    {...rest}
  />
);

/** A titled section of a screen, without a border. */
export const Panel = ({
  title,
  note,
  action,
  className = 'mt-8',
  children,
}: {
  title: string;
  note?: ReactNode;
  action?: ReactNode;
  className?: string;
  children: ReactNode;
}) => (
  <div className={cn('min-w-0', className)}>
    <div className="mb-3 flex min-h-9 flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <div className="min-w-0">
        <h2 className="text-base">{title}</h2>
        {note !== undefined && <p className="min-h-[1lh] max-w-prose text-sm text-muted">{note}</p>}
      </div>
      {action}
    </div>
    {children}
  </div>
);
