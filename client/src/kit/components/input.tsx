import { type ComponentProps, useState } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { cn, inputClass } from '@/kit/lib/styles.ts';
import { IconButton } from './button.tsx';

/** A text box. For dates and times use the native `type="date"`, `time` and `datetime-local`. */
export const Input = ({ className, ...rest }: ComponentProps<'input'>) => (
  <input className={cn(inputClass, className)} {...useFieldControl()} {...rest} />
);

/** A password box with a button that reveals it. Set `autoComplete` for password managers. */
export function PasswordInput({ className, ...rest }: ComponentProps<typeof Input>) {
  const [isShown, setShown] = useState(false);
  return (
    <span className={cn('relative block', className)}>
      <Input type={isShown ? 'text' : 'password'} spellCheck={false} className="pr-11" {...rest} />
      <IconButton
        icon={isShown ? 'eyeOff' : 'eye'}
        label={isShown ? 'Hide password' : 'Show password'}
        aria-pressed={isShown}
        onClick={() => setShown(!isShown)}
        className="absolute inset-y-0 right-0.5 my-auto"
      />
    </span>
  );
}
