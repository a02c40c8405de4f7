import { type ComponentProps, useId } from 'react';
import { useFieldError } from './form.tsx';

const BOX =
  'block w-full rounded-md border border-field bg-surface px-3 text-base text-text max-md:text-[16px] aria-invalid:border-failing';

/** The look of a text box, for boxes that stand without a visible label. */
export const inputClass = `${BOX} h-9 pointer-coarse:h-11 max-md:h-11`;

type Shared = { label: string; hint?: string; error?: string | undefined };
type Props = Shared &
  (({ multiline?: false } & ComponentProps<'input'>) | ({ multiline: true } & ComponentProps<'textarea'>));

/**
 * A text box with its label, a hint, and what is wrong with it. Within a `Form` the error comes from the server's
 * answer, by `name`; `error` overrides it.
 */
export function Field({ label, hint, error, multiline, className = '', ...rest }: Props) {
  const id = useId();
  const fromForm = useFieldError(rest.name);
  const wrong = error ?? fromForm;
  const described = [wrong && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined;
  const shared = { id, 'aria-invalid': wrong ? true : undefined, 'aria-describedby': described };
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      {multiline ? (
        <textarea
          {...shared}
          className={`${BOX} min-h-32 py-2 align-top`}
          {...(rest as ComponentProps<'textarea'>)}
        />
      ) : (
        <input {...shared} className={inputClass} {...(rest as ComponentProps<'input'>)} />
      )}
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-sm text-muted">
          {hint}
        </p>
      )}
      {wrong && (
        <p id={`${id}-error`} className="mt-1 text-sm text-failing">
          {wrong}
        </p>
      )}
    </div>
  );
}
