import { type ComponentProps, type ReactNode, useEffect, useState } from 'react';
import { Button } from '@/kit/components/button.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { PasswordInput } from '@/kit/components/input.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { ApiError, explain, statusOf, UnreachableError } from '@/kit/lib/api.ts';
import { span } from '@/kit/lib/format.ts';
import type { FormState, useForm } from '@/kit/lib/use-form.ts';
import { TEXTS } from './texts.ts';

/** The frame of the entry screens: a card with the mark, a heading, and a link to another screen below it. */
export const EntryCard = ({
  title,
  lead,
  children,
}: {
  title: string;
  lead?: ReactNode;
  children?: ReactNode;
}) => (
  <div className="mx-auto flex min-h-(--screen) max-w-104 flex-col sm:px-4 sm:py-[9dvh]">
    <div className="px-5 py-8 sm:rounded-lg sm:border sm:bg-surface sm:px-8">
      <img src="/favicon.svg" alt="" width="36" height="36" className="mb-5" />
      <ScreenHeading title={title} />
      {lead && <p className="mt-1 wrap-anywhere text-muted">{lead}</p>}
      {children && <div className="mt-6">{children}</div>}
    </div>
  </div>
);

export const linkClass = 'text-accent underline underline-offset-4';
/** A button that looks like a link in a text. */
export const TextButton = (props: ComponentProps<'button'>) => (
  <button type="button" className={linkClass} {...props} />
);

/** The rest of a throttle, counted down. */
function Throttled({ ms }: { ms: number }) {
  const [until] = useState(() => Date.now() + ms);
  const [left, setLeft] = useState(ms);
  useEffect(() => {
    const timer = setInterval(() => setLeft(Math.max(0, until - Date.now())), 1_000);
    return () => clearInterval(timer);
  }, [until]);
  const whole = Math.ceil(left / 1_000) * 1_000;
  return left > 0 ? (
    <>
      Try again in <span className="tabular-nums">{span(whole)}</span>.
    </>
  ) : (
    'You can try again now.'
  );
}

/** The failure of an entry form. A wrong password needs no request id. */
export function Failed({ error, wrong = TEXTS.wrong }: { error: unknown; wrong?: string }) {
  if (error === undefined || error === null) return null;
  const status = statusOf(error);
  if (status !== undefined && status !== 401 && status !== 429) return <ErrorNote error={error} />;
  const wait = error instanceof ApiError ? error.retryAfterMs : undefined;
  const { title, detail } = error instanceof UnreachableError ? { title: TEXTS.unreachable } : explain(error);
  return (
    <div role="alert" className="flex items-start gap-2 rounded-md border border-failing px-3 py-2 text-sm">
      <Icon name="alert" className="mt-0.5 size-4 text-failing" />
      <p>
        {status === 429 ? (
          <>
            {TEXTS.throttled}. {wait === undefined ? detail : <Throttled key={wait} ms={wait} />}
          </>
        ) : (
          (detail ?? (status === 401 ? wrong : title))
        )}
      </p>
    </div>
  );
}

/** A form of an entry screen: its fields, one button, and what failed. The failure comes last, so that nothing moves. */
export const EntryForm = ({
  of,
  action,
  wrong,
  children,
}: {
  of: FormState & { isSending: boolean };
  action: string;
  wrong?: string;
  children?: ReactNode;
}) => (
  <Form of={{ ...of, failure: undefined }} className="space-y-4">
    {children}
    <Button type="submit" pending={of.isSending} className="w-full">
      {action}
    </Button>
    <Failed error={of.failure} {...(wrong && { wrong })} />
  </Form>
);

// biome-ignore lint/suspicious/noExplicitAny: of any form
type FieldOf = ReturnType<ReturnType<typeof useForm<any>>['field']>;

/** A password with its button to show it. @param isNew For password managers: whether one is chosen or filled in. */
export function PasswordField({
  of: { error, type: _, ...box },
  label = 'Password',
  isNew = false,
  autoFocus,
}: {
  of: FieldOf;
  label?: string;
  isNew?: boolean;
  autoFocus?: boolean;
}) {
  return (
    <Field label={label} error={error} description={isNew ? TEXTS.password : undefined}>
      <PasswordInput
        {...(box as object)}
        autoComplete={isNew ? 'new-password' : 'current-password'}
        autoFocus={autoFocus}
      />
    </Field>
  );
}

/** An address. @param autoComplete `username` where the person signs in by it. */
export const EmailField = ({
  of,
  ...rest
}: {
  of: FieldOf;
  label?: string;
  description?: string;
  autoComplete?: string;
  autoFocus?: boolean;
}) => (
  <Field
    label="Email"
    autoComplete="username"
    {...(of as object)}
    {...rest}
    type="email"
    inputMode="email"
    autoCapitalize="none"
    spellCheck={false}
  />
);
