import { type ComponentProps, useId } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { cn, triggerClass } from '@/kit/lib/styles.ts';
import { Icon } from './icon.tsx';

/** The browser's own select: it needs no script, and phones show it best. */
export const NativeSelect = ({ className, ...rest }: ComponentProps<'select'>) => (
  <span className={cn('relative block w-fit', className)}>
    <select
      className={cn(triggerClass, 'w-full min-w-28 appearance-none pr-8')}
      {...useFieldControl()}
      {...rest}
    />
    <Icon
      name="chevrons"
      className="pointer-events-none absolute inset-y-0 right-2 my-auto size-4 text-muted"
    />
  </span>
);

/** `NativeSelect` with a label. `hidden` keeps the label for screen readers only. */
export function Choice({
  label,
  hidden = false,
  ...rest
}: ComponentProps<'select'> & { label: string; hidden?: boolean }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className={hidden ? 'sr-only' : 'mb-1.5 block text-sm font-medium'}>
        {label}
      </label>
      <NativeSelect id={id} {...rest} />
    </div>
  );
}
