import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useEffectEvent, useState } from 'react';
import { encode } from 'uqr';
import type { Account } from '#contracts/accounts/account.ts';
import {
  type beginTwoFactor,
  confirmTwoFactor,
  type endTwoFactor,
  type renewRecoveryCodes,
} from '#contracts/accounts/two-factor.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { InlineCode } from '@/kit/components/code.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { type Answer, request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { accountQuery, useAct } from './account-queries.ts';
import { ActDialog, DownloadButton, Section } from './components.tsx';
import { EntryForm, Failed } from './entry-card.tsx';
import { CodeField } from './sign-in-form.tsx';
import { TEXTS } from './texts.ts';

const { queryKey } = accountQuery;

export function TwoFactor({ account: { twoFactor } }: { account: Account }) {
  const { me } = useVisitor();
  const end = useAct(() => request<typeof endTwoFactor>('DELETE', '/api/account/two-factor'), queryKey);
  const isOffered = me?.offers.twoFactor === true;
  // Who can do nothing about it is told nothing.
  if (!isOffered && !twoFactor && !me?.isOperator) return null;
  return (
    <Section
      title="Two-factor authentication"
      lead={TEXTS.twoFactor.lead}
      action={twoFactor ? <Badge variant="success">On</Badge> : <Badge variant="outline">Off</Badge>}
    >
      {twoFactor ? (
        <div className="flex flex-wrap gap-2">
          <ActDialog
            trigger={<Button variant="outline">New recovery codes</Button>}
            title="New recovery codes"
            lead={TEXTS.twoFactor.renew}
          >
            {(close) => <Renewal onDone={close} />}
          </ActDialog>
          <Confirm
            trigger={<Button variant="destructive">Turn off</Button>}
            title="Turn two-factor authentication off?"
            action="Turn off"
            onConfirm={() => end.mutateAsync()}
          >
            {TEXTS.twoFactor.off}
          </Confirm>
        </div>
      ) : !isOffered ? (
        <p className="text-sm text-muted">
          {TEXTS.twoFactor.notOffered} <InlineCode>ENCRYPTION_KEY</InlineCode>{' '}
          {TEXTS.twoFactor.notOfferedNext}
        </p>
      ) : (
        <ActDialog
          trigger={<Button variant="outline">Set up an authenticator app</Button>}
          title="Set up an authenticator app"
          className="max-w-2xl"
        >
          {(close) => <SetUp onDone={close} />}
        </ActDialog>
      )}
    </Section>
  );
}

/** Asks for what the dialog shows, as soon as it opens. */
function useOnce<Data>(ask: () => Promise<Data>) {
  const act = useAct(ask);
  const begin = useEffectEvent(() => act.mutate());
  useEffect(() => {
    begin();
  }, []);
  return act;
}

function Renewal({ onDone }: { onDone: () => void }) {
  const { data, mutate, isPending, error } = useAct(() =>
    request<typeof renewRecoveryCodes>('POST', '/api/account/two-factor/recovery-codes'),
  );
  if (data) return <RecoveryCodes codes={data.recoveryCodes} onDone={onDone} />;
  return (
    <div className="space-y-4">
      <Button pending={isPending} onClick={() => mutate()}>
        Create new codes
      </Button>
      <Failed error={error} />
    </div>
  );
}

function SetUp({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const begin = useOnce(() => request<typeof beginTwoFactor>('POST', '/api/account/two-factor'));
  const [codes, setCodes] = useState<string[]>();
  const finish = () => {
    onDone();
    void client.invalidateQueries({ queryKey });
  };
  if (codes) return <RecoveryCodes codes={codes} onDone={finish} />;
  if (begin.data) return <Enrol {...begin.data} onCodes={setCodes} />;
  return <div className="min-h-64">{<Failed error={begin.error} />}</div>;
}

function Enrol({
  uri,
  secret,
  onCodes,
}: Answer<typeof beginTwoFactor> & { onCodes: (codes: string[]) => void }) {
  const form = useForm(confirmTwoFactor, {
    guard: false,
    async send({ code }) {
      try {
        const answer = await request<typeof confirmTwoFactor>('POST', '/api/account/two-factor/confirm', {
          body: { code },
        });
        onCodes(answer.recoveryCodes);
      } catch (error) {
        form.set('code', '');
        throw error;
      }
    },
  });
  const { error } = form.field('code');
  return (
    <div className="flex flex-wrap gap-6">
      <QrCode text={uri} label="QR code for the authenticator app" />
      <div className="min-w-0 grow basis-64 space-y-4 text-sm">
        <p>{TEXTS.twoFactor.scan}</p>
        <div>
          <p className="text-muted">{TEXTS.twoFactor.secret}</p>
          <p className="flex items-center gap-1">
            <code className="font-mono wrap-anywhere">{secret.replace(/(.{4})(?=.)/g, '$1 ')}</code>
            <CopyButton text={secret} label="Copy the secret" />
          </p>
        </div>
        <p>{TEXTS.twoFactor.confirm}</p>
        <div className="max-w-64">
          <EntryForm of={form} action="Turn on" wrong={TEXTS.twoFactor.wrong}>
            <CodeField
              value={String(form.values.code ?? '')}
              error={error}
              onChange={(code) => form.set('code', code)}
            />
          </EntryForm>
        </div>
      </div>
    </div>
  );
}

/** A QR code as one SVG path. Dark on light in both themes, because not every app reads the reverse. */
function QrCode({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: 4 });
  const path = data
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')))
    .join('');
  return (
    <svg
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      className="size-44 shrink-0 rounded-md"
    >
      <path d={`M0 0h${size}v${size}H0z`} fill="#fff" />
      <path d={path} fill="#000" shapeRendering="crispEdges" />
    </svg>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const text = codes.join('\n');
  return (
    <div className="space-y-4">
      <p className="max-w-prose text-sm">{TEXTS.twoFactor.codes}</p>
      <ul
        aria-label="Recovery codes"
        className="grid max-w-md gap-x-6 gap-y-1 rounded-md border bg-background p-4 sm:grid-cols-2 font-mono text-sm"
      >
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex flex-wrap items-center gap-x-1 gap-y-2">
        <Button onClick={onDone}>I have saved them</Button>
        <DownloadButton name="recovery-codes.txt" content={`${text}\n`} />
        <CopyButton text={text} label="Copy the recovery codes" />
      </div>
    </div>
  );
}
