import { Link } from '@tanstack/react-router';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { type Next, signIn, signInWithCode, type signInWithProvider } from '#contracts/accounts/sign-in.ts';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { InputOTP } from '@/kit/components/input-otp.tsx';
import { request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { EmailField, EntryForm, Failed, linkClass, PasswordField, TextButton } from './entry-card.tsx';
import { hasPasskeys, signInByAutofill, signInByPasskey } from './passkey.ts';
import { TEXTS } from './texts.ts';

/** A line with a word in it. */
export const Or = () => (
  <div className="flex items-center gap-3 text-xs text-muted before:h-px before:grow before:bg-border after:h-px after:grow after:bg-border">
    or
  </div>
);

/**
 * Password, passkey and providers.
 *
 * @param props.email Filled in already, where the person is known.
 * @param props.returnTo Where a provider sends the person back to; without it no provider is offered.
 * @param props.onNext What comes next, and the address that was typed.
 */
export function SignInForm({
  email,
  returnTo,
  onNext,
}: {
  email?: string | undefined;
  returnTo?: string;
  onNext: (next: Next['next'], email: string) => void;
}) {
  const { me } = useVisitor();
  const [failure, setFailure] = useState<unknown>();
  const [pending, setPending] = useState<string>();
  const form = useForm(signIn, {
    guard: false,
    ...(email !== undefined && { initial: { email } }),
    async send({ email, password }) {
      setFailure(undefined);
      const { next } = await request<typeof signIn>('POST', '/api/account/sign-in', {
        body: { email, password },
      });
      onNext(next, email);
    },
  });
  const start = async (way: string, act: () => Promise<unknown>) => {
    if (pending !== undefined) return;
    setPending(way);
    setFailure(undefined);
    try {
      await act();
    } catch (error) {
      setFailure(error);
    }
    setPending(undefined);
  };
  const passkeys = me?.offers.passkeys && hasPasskeys();
  // A page asks the browser one thing at a time: not while the button does.
  const isAutofill = passkeys && pending === undefined;
  const finish = useEffectEvent(({ next }: Next) => onNext(next, ''));
  useEffect(() => {
    if (!isAutofill) return;
    const leaving = new AbortController();
    signInByAutofill(leaving.signal).then((next) => next && finish(next), setFailure);
    return () => leaving.abort();
  }, [isAutofill]);
  const providers = returnTo === undefined ? [] : (me?.offers.providers ?? []);
  return (
    <div className="space-y-4">
      {(passkeys || providers.length > 0) && (
        <>
          <div className="space-y-2">
            {providers.map(({ id, name }) => (
              <Way
                key={id}
                name={name}
                pending={pending}
                onClick={() =>
                  start(name, async () => {
                    const { url } = await request<typeof signInWithProvider>(
                      'POST',
                      '/api/account/sign-in/provider',
                      { body: { provider: id, ...(returnTo && { returnTo }) } },
                    );
                    location.assign(url);
                  })
                }
              />
            ))}
            {passkeys && (
              <Way
                name="a passkey"
                pending={pending}
                onClick={() => start('a passkey', async () => onNext((await signInByPasskey()).next, ''))}
              />
            )}
          </div>
          <Or />
        </>
      )}
      <EntryForm of={form} action="Sign in">
        <EmailField
          of={form.field('email')}
          autoComplete="username webauthn"
          autoFocus={email === undefined}
        />
        <div className="relative">
          <PasswordField of={form.field('password')} autoFocus={email !== undefined} />
          {returnTo !== undefined && (
            <Link to="/reset" className={`${linkClass} absolute top-0 right-0 text-sm`}>
              Forgot your password?
            </Link>
          )}
        </div>
      </EntryForm>
      <Failed error={failure} />
    </div>
  );
}

const Way = ({
  name,
  pending,
  onClick,
}: {
  name: string;
  pending: string | undefined;
  onClick: () => void;
}) => (
  <Button variant="outline" className="w-full" pending={pending === name} onClick={onClick}>
    Sign in with {name}
  </Button>
);

/** The second step: a code of the app, which is sent once it is complete, or a recovery code. */
export function CodeForm({ onNext }: { onNext: (next: Next['next']) => void }) {
  const [isRecovery, setRecovery] = useState(false);
  const form = useForm(signInWithCode, {
    guard: false,
    async send({ code }) {
      try {
        const { next } = await request<typeof signInWithCode>('POST', '/api/account/sign-in/code', {
          body: { code: code.trim(), recovery: isRecovery },
        });
        onNext(next);
      } catch (error) {
        // A code is typed anew, not mended.
        if (!isRecovery) form.set('code', '');
        throw error;
      }
    },
  });
  const { error } = form.field('code');
  const change = () => {
    form.reset();
    setRecovery(!isRecovery);
  };
  return (
    <div className="space-y-4">
      <p className="text-muted">
        {isRecovery ? TEXTS.code.recovery : TEXTS.code.lead}{' '}
        <TextButton onClick={change}>
          {isRecovery ? 'Use the authenticator app' : 'Use a recovery code'}
        </TextButton>
      </p>
      <EntryForm of={form} action="Continue" wrong={TEXTS.code.wrong}>
        {isRecovery ? (
          <Field
            {...form.field('code')}
            label="Recovery code"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
          />
        ) : (
          <CodeField
            value={String(form.values.code ?? '')}
            error={error}
            onChange={(code) => form.set('code', code)}
          />
        )}
      </EntryForm>
    </div>
  );
}

/** Six digits of an authenticator app. The form is sent with the last one. Empty, at first or after a wrong code, it takes the focus. */
export function CodeField({
  value,
  error,
  onChange,
}: {
  value: string;
  error: string | undefined;
  onChange: (code: string) => void;
}) {
  const boxes = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (value === '') boxes.current?.querySelector('input')?.focus({ preventScroll: true });
  }, [value]);
  return (
    <Field label="Code" error={error}>
      <InputOTP ref={boxes} name="code" value={value} onValueChange={onChange} autoSubmit />
    </Field>
  );
}
