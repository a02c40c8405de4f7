import { Field } from '@base-ui/react/field';
import type { ComponentProps } from 'react';
import { cn, textareaClass } from '@/kit/lib/styles.ts';

/** A text box of several lines. It grows with its text where the browser supports `field-sizing`. */
export const Textarea = ({ className, ...rest }: ComponentProps<'textarea'>) => (
  <Field.Control
    render={<textarea {...rest} className={cn(textareaClass, 'field-sizing-content', className)} />}
  />
);
