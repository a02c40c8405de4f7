import { Checkbox as Base } from '@base-ui/react/checkbox';
import type { ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';
import { Icon } from './icon.tsx';

/** A checkbox; `indeterminate` means that some of several are checked. */
export const Checkbox = ({
  className,
  ...rest
}: ComponentProps<typeof Base.Root> & { className?: string }) => (
  <Base.Root
    className={cn(
      'group mt-0.5 flex size-4 shrink-0 items-center justify-center rounded-sm border border-field bg-surface text-on-accent data-checked:border-accent data-checked:bg-accent data-disabled:opacity-50 data-indeterminate:border-accent data-indeterminate:bg-accent data-invalid:border-failing',
      className,
    )}
    {...rest}
  >
    <Base.Indicator className="group-data-indeterminate:hidden">
      <Icon name="check" className="size-3.5" />
    </Base.Indicator>
    <Icon name="minus" className="hidden size-3.5 group-data-indeterminate:block" />
  </Base.Root>
);
