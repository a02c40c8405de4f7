import { NumberField } from '@base-ui/react/number-field';
import type { ComponentProps } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { cn, inputClass } from '@/kit/lib/styles.ts';
import { Icon } from './icon.tsx';

const step =
  'absolute inset-y-px flex w-9 items-center justify-center text-muted hover:text-text disabled:opacity-40 pointer-coarse:w-11 max-md:w-11';

/** A number with step buttons and arrow keys, in the format of the visitor's locale. */
export function NumberInput({
  className,
  ...rest
}: ComponentProps<typeof NumberField.Root> & { className?: string }) {
  const { id, ...control } = useFieldControl();
  return (
    <NumberField.Root id={id} className={cn('w-40', className)} {...rest}>
      <NumberField.Group className="relative">
        <NumberField.Decrement className={`${step} left-px border-r`}>
          <Icon name="minus" />
        </NumberField.Decrement>
        <NumberField.Input className={`${inputClass} px-11 text-center tabular-nums`} {...control} />
        <NumberField.Increment className={`${step} right-px border-l`}>
          <Icon name="plus" />
        </NumberField.Increment>
      </NumberField.Group>
    </NumberField.Root>
  );
}
