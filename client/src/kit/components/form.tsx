import { type ComponentProps, createContext, use, useRef } from 'react';
import { fieldErrors } from '@/kit/lib/api.ts';
import { ErrorNote } from './error-state.tsx';

const Errors = createContext<Record<string, string>>({});

/** The server's message about the field called `name`, within the form around it. */
export const useFieldError = (name: string | undefined) => use(Errors)[name ?? ''];

type Props = Omit<ComponentProps<'form'>, 'onSubmit'> & {
  /** What the last try failed with; its field messages go to the fields, the rest stands above the buttons. */
  error?: unknown;
  /** True while a try is under way: a second submit is ignored. */
  busy?: boolean;
  onSubmit: (data: FormData) => void;
};

/** A form that never leaves the page and never sends twice. */
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
