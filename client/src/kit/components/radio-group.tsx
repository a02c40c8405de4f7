import { Radio } from '@base-ui/react/radio';
import { RadioGroup as Base } from '@base-ui/react/radio-group';
import type { ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';

/** A choice among a few. Put each `RadioGroupItem` into a `FieldRow`. */
export const RadioGroup = ({ className, ...rest }: ComponentProps<typeof Base> & { className?: string }) => (
  <Base className={cn('flex flex-col', className)} {...rest} />
);

export const RadioGroupItem = ({
  className,
  ...rest
}: ComponentProps<typeof Radio.Root> & { className?: string }) => (
  <Radio.Root
    className={cn(
      'mt-0.5 flex size-4 shrink-0 items-center justify-center rounded-full border border-field bg-surface data-checked:border-accent data-checked:bg-accent data-disabled:opacity-50',
      className,
    )}
    {...rest}
  >
    <Radio.Indicator className="size-1.5 rounded-full bg-on-accent" />
  </Radio.Root>
);
