import type { ReactNode } from 'react';
import { cn } from '@/kit/lib/styles.ts';
import { Icon, type IconName } from './icon.tsx';

const VARIANTS: Record<string, [icon: IconName, colour: string]> = {
  default: ['info', 'text-accent'],
  success: ['check', 'text-ready'],
  warning: ['alert', 'text-degraded'],
  destructive: ['alert', 'text-failing'],
};

type Props = {
  variant?: 'default' | 'success' | 'warning' | 'destructive';
  title: ReactNode;
  action?: ReactNode;
  children?: ReactNode;
};

/** A callout. Wrap it in `role="alert"` if it appears later and must be announced. */
export function Alert({ variant = 'default', title, action, children }: Props) {
  const [icon, colour] = VARIANTS[variant] as [IconName, string];
  return (
    <div className="flex w-full flex-wrap items-start gap-x-3 gap-y-2 rounded-lg border bg-surface px-4 py-3 text-sm">
      <Icon name={icon} className={cn('mt-0.5 size-4', colour)} />
      <div className="min-w-0 flex-1 basis-48">
        <p className="font-medium">{title}</p>
        {children && <div className="mt-0.5 text-muted">{children}</div>}
      </div>
      {action}
    </div>
  );
}

/** A full-width strip for messages about the whole application. Reserve its place where it is shown, so that nothing shifts. */
export function Banner({ variant = 'default', action, children }: Omit<Props, 'title'>) {
  const [icon, colour] = VARIANTS[variant] as [IconName, string];
  return (
    <div className="flex min-h-11 w-full flex-wrap items-center justify-center gap-x-3 gap-y-1 border-y bg-surface px-4 py-1.5 text-sm">
      <p className="flex min-w-0 items-start gap-2">
        <Icon name={icon} className={cn('mt-0.5 size-4', colour)} />
        {children}
      </p>
      {action}
    </div>
  );
}
