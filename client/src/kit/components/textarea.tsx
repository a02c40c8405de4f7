import type { ComponentProps } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { cn, textareaClass } from '@/kit/lib/styles.ts';

/** A text box of several lines. It grows with its text where the browser supports `field-sizing`. */
export const Textarea = ({ className, ...rest }: ComponentProps<'textarea'>) => (
  <textarea
    className={cn(textareaClass, 'field-sizing-content', className)}
    {...useFieldControl()}
    {...rest}
  />
);
