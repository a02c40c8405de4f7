import { type ComponentProps, type ReactNode, useId } from 'react';
import { FieldContext } from '@/kit/lib/field-control.ts';
import { Input } from './input.tsx';
import { Textarea } from './textarea.tsx';

type Shared = {
  label: ReactNode;
  name?: string | undefined;
  description?: ReactNode;
  /** What is wrong. It is announced, and tied to the control, which becomes `aria-invalid`. */
  error?: string | undefined;
  className?: string;
};

type Props = Shared &
  Omit<ComponentProps<typeof Input>, keyof Shared> & {
    multiline?: boolean;
    children?: ReactNode;
  };

/**
 * A control with its label, description and error, associated for screen readers. Without children it renders an
 * `Input`, or with `multiline` a `Textarea`, which receives the remaining props.
 */
export function Field({ label, description, error, className, multiline, children, ...box }: Props) {
  const id = useId();
  const describedBy = [description && `${id}-description`, error && `${id}-error`].filter(Boolean).join(' ');
  const control = {
    id,
    'aria-describedby': describedBy || undefined,
    'aria-invalid': Boolean(error) || undefined,
  } as const;
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      <FieldContext value={control}>
        {children ?? (multiline ? <Textarea {...(box as ComponentProps<'textarea'>)} /> : <Input {...box} />)}
      </FieldContext>
      {description && (
        <p id={`${id}-description`} className="mt-1.5 text-sm text-muted">
          {description}
        </p>
      )}
      {/* Always there, because screen readers announce only what changes within. */}
      <div aria-live="polite">
        {error && (
          <p id={`${id}-error`} className="mt-1.5 text-sm text-failing">
            {error}
          </p>
        )}
      </div>
    </div>
  );
}

/** A checkbox, radio or switch with its label beside it. */
export const FieldRow = ({
  label,
  description,
  error,
  children,
}: {
  label: ReactNode;
  description?: ReactNode;
  /** What is wrong, announced with the control. */
  error?: string | undefined;
  children: ReactNode;
}) => (
  // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
  <label className="flex items-start gap-2.5 py-1 text-sm pointer-coarse:py-2.5 max-md:py-2.5">
    {children}
    <span>
      <span className="font-medium">{label}</span>
      {description && <span className="block text-muted">{description}</span>}
      <span aria-live="polite" className="block text-failing">
        {error}
      </span>
    </span>
  </label>
);
