import { Switch as Base } from '@base-ui/react/switch';
import type { ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';

/** An on/off setting that applies at once. For one that is saved with a form use `Checkbox`. */
export const Switch = ({ className, ...rest }: ComponentProps<typeof Base.Root> & { className?: string }) => (
  <Base.Root
    className={cn(
      'flex h-5 w-8.5 shrink-0 items-center rounded-full border border-field bg-hover px-0.5 transition-colors data-checked:border-accent data-checked:bg-accent data-disabled:opacity-50',
      className,
    )}
    {...rest}
  >
    <Base.Thumb className="size-3.5 rounded-full bg-muted transition-transform data-checked:translate-x-3.5 data-checked:bg-on-accent" />
  </Base.Root>
);
