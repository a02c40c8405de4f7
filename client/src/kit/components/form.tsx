import { type ComponentProps, createContext, use, useRef } from 'react';
import { fieldErrors } from '@/kit/lib/api.ts';
import { ErrorNote } from './error-state.tsx';

const Errors = createContext<Record<string, string>>({});

/** The server's message for the field `name` in the surrounding form. */
export const useFieldError = (name: string | undefined) => use(Errors)[name ?? ''];

type Props = Omit<ComponentProps<'form'>, 'onSubmit'> & {
  /** The error of the last submit. Messages of fields appear at the fields, other errors at the end of the form. */
  error?: unknown;
  /** True while submitting: further submits are ignored. */
  busy?: boolean;
  onSubmit: (data: FormData) => void;
};

/** A form that stays on the page and never submits twice at once. */
export function Form({ error, busy = false, onSubmit, children, ...rest }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const messages = fieldErrors(error);
  const placed = Object.keys(messages).some((name) => form.current?.elements.namedItem(name));
  return (
    <form
      ref={form}
      aria-busy={busy || undefined}
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) onSubmit(new FormData(event.currentTarget));
      }}
      {...rest}
    >
      <Errors value={messages}>{children}</Errors>
      {error !== undefined && error !== null && !placed && <ErrorNote error={error} />}
    </form>
  );
}
