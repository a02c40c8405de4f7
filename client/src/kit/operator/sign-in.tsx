import { useLocation, useNavigate } from '@tanstack/react-router';
import { useEffect, useEffectEvent } from 'react';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { ApiError, explain } from '@/kit/lib/api.ts';
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
  const { mutate, isPending, error } = useSignIn();
  const wrong = error instanceof ApiError && error.problem.status === 401 ? explain(error).detail : undefined;
  return (
    <div className="mx-auto max-w-sm px-4 py-16">
      <ScreenHeading title={title} />
      {closed === undefined ? (
        <>
          <p className="mt-2 mb-6 text-muted">{about}</p>
          <Form
            busy={isPending}
            error={wrong === undefined ? (error ?? failed) : undefined}
            onSubmit={(data) => mutate({ key: String(data.get('key')).trim() })}
            className="space-y-4"
          >
            {/* Password managers keep a password under a name. */}
            <input type="text" name="username" autoComplete="username" value="operator" readOnly hidden />
            <Field
              label="Operators’ key"
              name="key"
              type="password"
              autoComplete="current-password"
              autoFocus
              required
              description={`The INTERNAL_API_KEY${keyIn === undefined ? '' : `; it is in ${keyIn}`}. You stay signed in for an hour after your last visit.`}
              error={wrong}
            />
            <Button type="submit" aria-disabled={isPending} className="w-full">
              {isPending ? 'Signing in' : 'Sign in'}
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
