import { OTPField } from '@base-ui/react/otp-field';
import type { ComponentProps } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { cn, inputClass } from '@/kit/lib/styles.ts';

type Props = Omit<ComponentProps<typeof OTPField.Root>, 'length'> & { length?: number };

/** A one-time code with one box per character. Pasting or autofill fills all boxes. */
export function InputOTP({ length = 6, ...rest }: Props) {
  const control = useFieldControl();
  return (
    <OTPField.Root length={length} className="flex gap-1.5" {...rest}>
      {Array.from({ length }, (_, index) => (
        <OTPField.Input
          // biome-ignore lint/suspicious/noArrayIndexKey: a box is its place
          key={index}
          {...(index > 0 ? { 'aria-label': `Character ${index + 1} of ${length}` } : control)}
          className={cn(inputClass, 'max-w-10 px-0 text-center font-mono')}
        />
      ))}
    </OTPField.Root>
  );
}
