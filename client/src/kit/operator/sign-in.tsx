import { useLocation, useNavigate } from '@tanstack/react-router';
import { useEffect, useEffectEvent } from 'react';
import { signIn } from '#contracts/session.ts';
import { Button } from '@/kit/components/button.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { explain, statusOf } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useSignIn } from './session.ts';

/** Tokens already used: each works once, and strict mode mounts twice. */
const tried = new Set<string>();

/** Signs in with the token of a printed link, and first removes it from the address. */
export function useTokenOfAddress() {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const { mutate, ...rest } = useSignIn();
  const token = /^token=(.+)$/.exec(hash)?.[1];
  const use = useEffectEvent((token: string) => {
    navigate({ to: '.', search: (before) => before, hash: '', replace: true });
    if (tried.has(token)) return;
    tried.add(token);
    mutate({ token });
  });
  useEffect(() => {
    if (token !== undefined) use(token);
  }, [token]);
  return { ...rest, isPending: rest.isPending || token !== undefined };
}

/** The sign-in form: exchanges the operators' key for a session cookie of one hour. */
export function SignIn({
  title,
  about,
  closed,
  keyIn,
  failed,
}: {
  /** The screen's title and description. */
  title: string;
  about: string;
  closed: string | undefined;
  /** Where the key is found; undefined where the server does not say. */
  keyIn: string | undefined;
  failed: unknown;
}) {
  const { mutateAsync } = useSignIn();
  const form = useForm(signIn, {
    required: ['key'],
    guard: false,
    send: ({ key = '' }) => mutateAsync({ key: key.trim() }),
  });
  const wrong = statusOf(form.failure) === 401 ? explain(form.failure).detail : undefined;
  return (
    <div className="mx-auto max-w-sm px-4 py-16">
      <ScreenHeading title={title} />
      {closed === undefined ? (
        <>
          <p className="mt-2 mb-6 text-muted">{about}</p>
          <Form
            of={{ ...form, failure: wrong === undefined ? form.failure : undefined }}
            className="space-y-4"
          >
            {/* Password managers keep a password under a name. */}
            <input type="text" name="username" autoComplete="username" value="operator" readOnly hidden />
            <Field
              {...form.field('key')}
              label="Operators’ key"
              type="password"
              autoComplete="current-password"
              autoFocus
              description={`The INTERNAL_API_KEY${keyIn === undefined ? '' : `; it is in ${keyIn}`}. You stay signed in for an hour after your last visit.`}
              error={form.field('key').error ?? wrong}
            />
            {failed != null && !form.failure && <ErrorNote error={failed} />}
            <Button type="submit" pending={form.isSending} className="w-full">
              Sign in
            </Button>
          </Form>
        </>
      ) : (
        <div role="status" className="mt-6 flex gap-3 rounded-lg border bg-surface p-4">
          <Icon name="lock" className="mt-1 size-4 text-muted" />
          <div>
            <p className="font-medium">Sign-in is off</p>
            <p className="mt-1 text-sm text-muted">{closed}</p>
          </div>
        </div>
      )}
    </div>
  );
}
