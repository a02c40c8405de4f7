import { Field as Base } from '@base-ui/react/field';
import type { ComponentProps, ReactNode } from 'react';
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
export function Field({ label, name, description, error, className, multiline, children, ...box }: Props) {
  return (
    <Base.Root name={name} invalid={Boolean(error)} className={className}>
      <Base.Label className="mb-1.5 block text-sm font-medium">{label}</Base.Label>
      {children ?? (multiline ? <Textarea {...(box as ComponentProps<'textarea'>)} /> : <Input {...box} />)}
      {description && (
        <Base.Description className="mt-1.5 text-sm text-muted">{description}</Base.Description>
      )}
      <div aria-live="polite">
        {error && (
          <Base.Error match className="mt-1.5 text-sm text-failing">
            {error}
          </Base.Error>
        )}
      </div>
    </Base.Root>
  );
}

/** A checkbox, radio or switch with its label beside it. */
export const FieldRow = ({
  label,
  description,
  children,
}: {
  label: ReactNode;
  description?: ReactNode;
  children: ReactNode;
}) => (
  // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
  <label className="flex items-start gap-2.5 py-1 text-sm pointer-coarse:py-2.5 max-md:py-2.5">
    {children}
    <span>
      <span className="font-medium">{label}</span>
      {description && <span className="block text-muted">{description}</span>}
    </span>
  </label>
);
