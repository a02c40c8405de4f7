import { useEffect, useState } from 'react';
import { type Account, type readAccount, reauthenticate } from '#contracts/accounts/account.ts';
import { Button } from '@/kit/components/button.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { Field } from '@/kit/components/field.tsx';
import { request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import type { Asked } from './challenge.ts';
import { EntryForm, Failed, PasswordField } from './entry-card.tsx';
import { loadMe } from './me.ts';
import { hasPasskeys, signInByPasskey } from './passkey.ts';
import { CodeForm, Or, SignInForm } from './sign-in-form.tsx';
import { TEXTS } from './texts.ts';

/** Asks the person to sign in again over the screen, which stays as it is. `Esc` gives the request up. */
export function Question({ kind, settle }: Asked) {
  useEffect(() => {
    // Heard before a dialog below, which would close too.
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.stopImmediatePropagation();
      settle(false);
    };
    addEventListener('keydown', onKey, { capture: true });
    return () => removeEventListener('keydown', onKey, { capture: true });
  }, [settle]);
  return (
    <Dialog open disablePointerDismissal onOpenChange={() => settle(false)}>
      {kind === 'session' ? (
        <SignInAgain onDone={() => settle(true)} />
      ) : (
        <Recent onDone={() => settle(true)} />
      )}
    </Dialog>
  );
}

function SignInAgain({ onDone }: { onDone: () => void }) {
  const { me } = useVisitor();
  const [isCode, setCode] = useState(false);
  return (
    <DialogContent title="Sign in again" description={TEXTS.signIn.ended} className="mt-[12dvh] max-w-sm">
      {isCode ? (
        <CodeForm onNext={onDone} />
      ) : (
        <SignInForm
          email={me?.user?.email}
          onNext={(next) => (next === 'two-factor' ? setCode(true) : onDone())}
        />
      )}
    </DialogContent>
  );
}

function Recent({ onDone }: { onDone: () => void }) {
  const { me } = useVisitor();
  const [account, setAccount] = useState<Account>();
  const [failure, setFailure] = useState<unknown>();
  useEffect(() => {
    request<typeof readAccount>('GET', '/api/account').then(setAccount, setFailure);
  }, []);
  const finish = () => {
    loadMe().catch(() => {});
    onDone();
  };
  const form = useForm(reauthenticate, {
    guard: false,
    required: account?.twoFactor ? ['code'] : [],
    async send({ password, code }) {
      await request<typeof reauthenticate>('POST', '/api/account/reauthenticate', {
        body: { password, ...(code && { code: code.trim() }) },
      });
      finish();
    },
  });
  const passkeys = me?.offers.passkeys && hasPasskeys();
  return (
    <DialogContent title={TEXTS.recent.title} description={TEXTS.recent.lead} className="mt-[12dvh] max-w-sm">
      <div className="min-h-36 space-y-4">
        {account && passkeys && (
          <>
            <Button
              variant="outline"
              className="w-full"
              onClick={() => {
                setFailure(undefined);
                signInByPasskey().then(finish, setFailure);
              }}
            >
              Use a passkey
            </Button>
            {account.hasPassword && <Or />}
          </>
        )}
        {account?.hasPassword && (
          <EntryForm of={form} action="Confirm">
            {/* Password managers keep a password under a name. */}
            <input
              type="text"
              name="username"
              autoComplete="username"
              value={account.email}
              readOnly
              hidden
            />
            <PasswordField of={form.field('password')} autoFocus />
            {account.twoFactor && (
              <Field
                {...form.field('code')}
                label="Code from your authenticator app"
                autoComplete="one-time-code"
                inputMode="numeric"
              />
            )}
          </EntryForm>
        )}
        {account && !account.hasPassword && <p className="text-sm">{TEXTS.recent.noPassword}</p>}
        <Failed error={failure} />
      </div>
    </DialogContent>
  );
}
