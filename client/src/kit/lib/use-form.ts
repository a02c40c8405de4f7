import { useBlocker } from '@tanstack/react-router';
import { type ChangeEvent, type FormEvent, useEffect, useRef, useState } from 'react';
import type { Static, TSchema } from 'typebox';
import { fieldErrors } from './api.ts';
import { type BodySchema, bodyOf, fieldError, inputType, type Values } from './form-rules.ts';
import { recall, remember } from './tab-memory.ts';

/** A contract whose route takes a body. Its value reaches the browser as plain JSON (`client/contracts-as-json.ts`). */
interface BodyContract {
  readonly schema: { readonly body: TSchema };
}
type Body<Route extends BodyContract> = Static<Route['schema']['body']>;
type Name<Route extends BodyContract> = keyof Body<Route> & string;

interface Options<Route extends BodyContract> {
  /** What the fields hold at first. */
  initial?: Partial<Record<Name<Route>, string | boolean>>;
  /**
   * Sends the body, and goes where success leads. A rejection leaves everything as it was typed; a problem document is
   * shown at its fields.
   */
  send(body: Body<Route>): Promise<unknown>;
  /** Keeps what was typed in this tab under this name, so that a reload or a closed screen loses nothing. Never for passwords. */
  keepAs?: string;
}

/**
 * A form whose rules come from a route's contract: types, required fields, lengths, patterns and messages.
 *
 * Spread `form` on `<form>`, and `field('title')` on the input for `title`. A failed check focuses the first field that
 * is wrong. A second click does nothing while the first is under way. Leaving with unsaved changes asks first.
 *
 * @param contract A route of `contracts/` whose body is an object of plain fields.
 */
export function useForm<Route extends BodyContract>(
  contract: Route,
  { initial, send, keepAs }: Options<Route>,
) {
  const schema = contract.schema.body as unknown as BodySchema;
  const { required = [] } = schema;
  const first = (initial ?? {}) as Values;
  const [values, setValues] = useState<Values>(() => ({ ...first, ...kept(keepAs) }));
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [failure, setFailure] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  // State changes at the next render; a double click comes before it.
  const sending = useRef(false);
  const element = useRef<HTMLFormElement>(null);
  const isDirty = Object.keys(values).some((name) => values[name] !== (first[name] ?? ''));

  useEffect(() => {
    if (keepAs !== undefined) remember(keepAs, isDirty ? JSON.stringify(values) : undefined);
  }, [keepAs, isDirty, values]);
  useBlocker({
    shouldBlockFn: () => !sending.current && !confirm('Leave without saving? Your changes will be lost.'),
    enableBeforeUnload: true,
    // What is kept in the tab is not lost.
    disabled: !isDirty || keepAs !== undefined,
  });

  // After a failed try the first field that is wrong takes the focus, once its message has been drawn.
  const refused = useRef(false);
  useEffect(() => {
    if (!refused.current || Object.keys(errors).length === 0) return;
    refused.current = false;
    element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);
  const showErrors = (found: Readonly<Record<string, string>>) => {
    refused.current = true;
    setErrors(found);
  };

  async function submit(event?: FormEvent): Promise<void> {
    event?.preventDefault();
    if (sending.current) return;
    const found = Object.entries(schema.properties).flatMap(([name, rules]) => {
      const error = fieldError(rules, required.includes(name), values[name] ?? '');
      return error === undefined ? [] : [[name, error]];
    });
    setFailure(undefined);
    if (found.length > 0) return showErrors(Object.fromEntries(found));
    setErrors({});
    sending.current = true;
    setSending(true);
    try {
      await send(bodyOf(schema, values) as Body<Route>);
      setValues(first);
    } catch (error) {
      const atFields = fieldErrors(error);
      if (Object.keys(atFields).some((name) => name in schema.properties)) showErrors(atFields);
      else setFailure(error);
    } finally {
      sending.current = false;
      setSending(false);
    }
  }

  return {
    values,
    isDirty,
    isSending,
    /** What failed and belongs to no field: show it in an `<ErrorNote>`. */
    failure,
    submit,
    reset: () => {
      setValues(first);
      setErrors({});
      setFailure(undefined);
    },
    /** Props of `<form>`. */
    form: {
      ref: element,
      noValidate: true,
      'aria-busy': isSending || undefined,
      onSubmit: (event: FormEvent) => void submit(event),
    },
    /** Props of the `<Field>` for one property of the body. */
    field(name: Name<Route>) {
      const rules = schema.properties[name] ?? {};
      const value = values[name] ?? '';
      return {
        name,
        type: inputType(rules),
        required: required.includes(name),
        maxLength: rules.maxLength,
        min: rules.minimum,
        max: rules.maximum,
        error: errors[name],
        ...(typeof value === 'boolean' ? { checked: value } : { value }),
        onChange: ({ target }: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => {
          const next =
            target instanceof HTMLInputElement && target.type === 'checkbox' ? target.checked : target.value;
          setValues((before) => ({ ...before, [name]: next }));
          // A message goes when its field changes; it comes back at the next try, if it must.
          setErrors(({ [name]: _, ...others }) => others);
        },
      };
    },
  };
}

function kept(keepAs: string | undefined): Values {
  const text = keepAs === undefined ? undefined : recall(keepAs);
  return text === undefined ? {} : (JSON.parse(text) as Values);
}
