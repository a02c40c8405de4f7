import { useBlocker } from '@tanstack/react-router';
import { type ChangeEvent, type FormEvent, type RefObject, useEffect, useRef, useState } from 'react';
import type { Static, TSchema } from 'typebox';
import { fieldErrors } from './api.ts';
import { store, stored } from './browser-memory.ts';
import { type BodySchema, bodyOf, fieldError, inputType, type Values } from './form-rules.ts';
import { asSentence } from './format.ts';

/** A contract whose route takes a body. Its value reaches the browser as plain JSON (`client/contracts-as-json.ts`). */
export interface BodyContract {
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
  /** Keeps what was typed in this browser under this name, so that a closed screen or tab loses nothing. Never for passwords. */
  keepAs?: string;
  /** Fields that this form needs although the contract does not. */
  required?: readonly Name<Route>[];
  /** False where leaving loses nothing that matters, such as a sign-in. */
  guard?: boolean;
}

/** What `<Form of={…}>` needs of a form. */
export interface FormState {
  readonly form: {
    ref: RefObject<HTMLFormElement | null>;
    noValidate: true;
    'aria-busy': true | undefined;
    onSubmit: (event: FormEvent) => void;
  };
  readonly failure: unknown;
  /** Leaving loses what is typed. */
  readonly isGuarded: boolean;
  /** Defined while the person wants to leave: asks, and then does one of both. */
  readonly leaving: { stay: () => void; leave: () => void } | undefined;
}

/**
 * A form whose rules come from a route's contract: types, required fields, lengths, patterns and messages.
 *
 * Give it to `<Form of={form}>`, and spread `field('title')` on the `<Field>` for `title`. A failed check focuses the
 * first field that is wrong. A second click does nothing while the first is under way. Leaving with unsaved changes asks
 * first. While the server is away, a mutation in `send` waits for it.
 *
 * @param contract A route of `contracts/` whose body is an object of plain fields.
 */
export function useForm<Route extends BodyContract>(
  contract: Route,
  { initial, send, keepAs, required: also = [], guard = true }: Options<Route>,
) {
  const schema = contract.schema.body as unknown as BodySchema;
  const required: readonly string[] = [...(schema.required ?? []), ...also];
  const first = (initial ?? {}) as Values;
  const [values, setValues] = useState<Values>(() => ({ ...first, ...kept(keepAs) }));
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [failure, setFailure] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  // State changes at the next render; a double click comes before it.
  const sending = useRef(false);
  const element = useRef<HTMLFormElement>(null);
  const isDirty = Object.keys(values).some((name) => values[name] !== (first[name] ?? ''));

  const [isKept, setKept] = useState(keepAs !== undefined);
  useEffect(() => {
    if (keepAs !== undefined) setKept(store(`form:${keepAs}`, isDirty ? JSON.stringify(values) : undefined));
  }, [keepAs, isDirty, values]);
  const isGuarded = guard && isDirty && !isKept;
  const blocked = useBlocker({
    shouldBlockFn: () => !sending.current,
    enableBeforeUnload: true,
    disabled: !isGuarded,
    withResolver: true,
  });

  // After a failed try the first field that is wrong takes the focus, once its message has been drawn.
  const refused = useRef(false);
  useEffect(() => {
    if (!refused.current || Object.keys(errors).length === 0) return;
    refused.current = false;
    element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);
  /** Those that the form shows. What is wrong with another property, such as the token of a link, is said at the form. */
  const fields = new Set<string>();
  const showErrors = (found: Readonly<Record<string, string>>, error: unknown) => {
    refused.current = true;
    setErrors(found);
    if (Object.keys(found).some((name) => !fields.has(name))) setFailure(error);
  };

  async function submit(event?: FormEvent): Promise<void> {
    event?.preventDefault();
    if (sending.current) return;
    // Controls that are not bound by `field` count by their names, such as a `<Choice name="role" defaultValue="viewer">`.
    const inForm = element.current ? Object.fromEntries(new FormData(element.current)) : {};
    const filled = { ...(inForm as Values), ...values };
    const found = Object.entries(schema.properties).flatMap(([name, rules]) => {
      const error = fieldError(rules, required.includes(name), filled[name] ?? '');
      return error === undefined ? [] : [[name, error]];
    });
    setFailure(undefined);
    if (found.length > 0) {
      const elsewhere = found.filter(([name = '']) => !fields.has(name)).map((pair) => pair.join(': '));
      return showErrors(Object.fromEntries(found), new Error(elsewhere.join(' ')));
    }
    setErrors({});
    sending.current = true;
    setSending(true);
    try {
      await send(bodyOf({ ...schema, required }, filled) as Body<Route>);
      setValues(first);
    } catch (error) {
      const atFields = fieldErrors(error);
      if (Object.keys(atFields).length > 0) showErrors(atFields, error);
      else setFailure(error);
    } finally {
      sending.current = false;
      setSending(false);
    }
  }

  const set = (name: Name<Route>, value: string | boolean) => {
    setValues((before) => ({ ...before, [name]: value }));
    // A message goes when its field changes; it comes back at the next try, if it must.
    setErrors(({ [name]: _, ...others }) => others);
  };

  return {
    values,
    isDirty,
    isSending,
    /** What failed and belongs to no field. `<Form>` shows it. */
    failure,
    isGuarded,
    leaving: blocked.status === 'blocked' ? { stay: blocked.reset, leave: blocked.proceed } : undefined,
    submit,
    /** Sets a field whose control is no text box: `<Select onValueChange={(role) => form.set('role', role)}>`. */
    set,
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
    } satisfies FormState['form'] as FormState['form'],
    /** Props of the `<Field>` for one property of the body. */
    field(name: Name<Route>) {
      fields.add(name);
      const rules = schema.properties[name] ?? {};
      const value = values[name] ?? '';
      return {
        name,
        type: inputType(rules),
        required: required.includes(name) && (rules.type !== 'boolean' || rules.const === true),
        maxLength: rules.maxLength,
        min: rules.minimum,
        max: rules.maximum,
        error: errors[name] && asSentence(errors[name]),
        ...(typeof value === 'boolean' ? { checked: value } : { value }),
        onChange: ({ target }: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => {
          const next =
            target instanceof HTMLInputElement && target.type === 'checkbox' ? target.checked : target.value;
          set(name, next);
        },
      };
    },
  };
}

function kept(keepAs: string | undefined): Values {
  const text = keepAs === undefined ? undefined : stored(`form:${keepAs}`);
  return text === undefined ? {} : (JSON.parse(text) as Values);
}
