import type { ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';

const VARIANTS = {
  default: 'border-transparent bg-selected text-accent',
  secondary: 'border-transparent bg-hover text-text',
  outline: 'text-muted',
  success: 'border-transparent bg-ready/10 text-ready',
  warning: 'border-transparent bg-degraded/10 text-degraded',
  destructive: 'border-transparent bg-failing/10 text-failing',
};

/** A short label or count. For the server's states use `StateBadge`, which adds a shape. */
export const Badge = ({
  variant = 'default',
  className,
  ...rest
}: ComponentProps<'span'> & { variant?: keyof typeof VARIANTS }) => (
  <span
    className={cn(
      'inline-flex min-h-5.5 items-center gap-1 rounded-full border px-2 text-xs font-medium whitespace-nowrap tabular-nums',
      VARIANTS[variant],
      className,
    )}
    {...rest}
  />
);
