import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import {
  type endKey,
  type listKeys,
  type MadeKey,
  makeKey,
  type rotateKey,
} from '#contracts/accounts/keys.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Code } from '@/kit/components/code.tsx';
import { DialogFooter } from '@/kit/components/dialog.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { type Answer, request } from '@/kit/lib/api.ts';
import { ago, exactly } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { keysQuery, useAct } from './account-queries.ts';
import { ActDialog, Choices, FormFooter, fieldsOf, Loaded, Row, Rows, Section } from './components.tsx';
import { Failed } from './entry-card.tsx';
import { TEXTS } from './texts.ts';

const { queryKey } = keysQuery;
const OVERLAP_HOURS = 24;

export function Keys() {
  const query = useQuery(keysQuery);
  const end = useAct(
    (id: string) => request<typeof endKey>('DELETE', '/api/account/keys/:id', { params: { id } }),
    queryKey,
  );
  return (
    <Section
      title="API keys"
      lead={TEXTS.keys.lead}
      action={
        query.data && (
          <ActDialog
            trigger={
              <Button variant="outline" icon="plus">
                New key
              </Button>
            }
            title="New API key"
          >
            {(close) => <NewKey permissions={query.data.permissions} onDone={close} />}
          </ActDialog>
        )
      }
    >
      <Loaded of={query}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-muted">{TEXTS.keys.none}</p>
          ) : (
            <Rows label="API keys">
              {items.map(({ id, name, start, permissions, createdAt, expiresAt, lastUsedAt }) => (
                <Row
                  key={id}
                  title={
                    <>
                      {name}
                      <code className="font-mono text-sm font-normal text-muted">{start}…</code>
                    </>
                  }
                  detail={
                    <>
                      <span className="flex flex-wrap gap-1 py-1">
                        {permissions.map((one) => (
                          <Badge key={one} variant="secondary">
                            {one}
                          </Badge>
                        ))}
                      </span>
                      {lastUsedAt ? `Used ${ago(lastUsedAt)}` : 'Never used'} · made {exactly(createdAt)} ·{' '}
                      {expiresAt ? `${expiry(expiresAt)} ${exactly(expiresAt)}` : 'does not expire'}
                    </>
                  }
                >
                  <ActDialog
                    trigger={
                      <Button variant="outline" aria-label={`Rotate ${name}`}>
                        Rotate
                      </Button>
                    }
                    title={`Rotate “${name}”`}
                    lead={TEXTS.keys.rotate}
                  >
                    {(close) => <Rotation id={id} onDone={close} />}
                  </ActDialog>
                  <Confirm
                    trigger={
                      <Button variant="destructive" aria-label={`End ${name}`}>
                        End
                      </Button>
                    }
                    title={`End “${name}”?`}
                    action="End key"
                    onConfirm={() => end.mutateAsync(id)}
                  >
                    {TEXTS.keys.end}
                  </Confirm>
                </Row>
              ))}
            </Rows>
          )
        }
      </Loaded>
    </Section>
  );
}

const expiry = (at: string) => (Date.parse(at) > Date.now() ? 'expires' : 'expired');

const EXPIRIES = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'A year'],
  ['', 'Never'],
];

/** The one time that a key is shown. */
const Made = ({ made, onDone }: { made: MadeKey; onDone: () => void }) => (
  <div className="space-y-4">
    <p>{TEXTS.keys.once}</p>
    <Code label="The key" text={made.key} />
    <DialogFooter>
      <Button onClick={onDone}>I have copied it</Button>
    </DialogFooter>
  </div>
);

function Rotation({ id, onDone }: { id: string; onDone: () => void }) {
  const { data, mutate, isPending, error } = useAct(
    () =>
      request<typeof rotateKey>('POST', '/api/account/keys/:id/rotate', {
        params: { id },
        body: { overlapHours: OVERLAP_HOURS },
      }),
    queryKey,
  );
  if (data) return <Made made={data} onDone={onDone} />;
  return (
    <div className="space-y-4">
      <Button pending={isPending} onClick={() => mutate()}>
        Rotate key
      </Button>
      <Failed error={error} />
    </div>
  );
}

function NewKey({
  permissions,
  onDone,
}: {
  permissions: Answer<typeof listKeys>['permissions'];
  onDone: () => void;
}) {
  const [chosen, setChosen] = useState<string[]>([]);
  const [days, setDays] = useState('90');
  const make = useAct(
    (name: string) =>
      request<typeof makeKey>('POST', '/api/account/keys', {
        body: { name, permissions: chosen, ...(days && { expiresInDays: Number(days) }) },
      }),
    queryKey,
  );
  const form = useForm(fieldsOf(makeKey, 'name'), {
    guard: false,
    send: ({ name }) => make.mutateAsync(name.trim()),
  });
  if (make.data) return <Made made={make.data} onDone={onDone} />;
  const offered = Object.entries(permissions);
  return (
    <Form of={form} className="space-y-4">
      <Field
        {...form.field('name')}
        label="Name"
        description="For example, the program that will use it."
        autoComplete="off"
        autoFocus
      />
      <fieldset>
        <legend className="text-sm font-medium">Permissions</legend>
        <p className="mb-1 text-sm text-muted">
          {offered.length > 0 ? TEXTS.keys.permissions : TEXTS.keys.nothing}
        </p>
        <Choices
          of={offered.map(([name, description]) => ({
            name,
            label: <code className="font-mono">{name}</code>,
            description,
          }))}
          chosen={chosen}
          onChange={setChosen}
        />
      </fieldset>
      <Choice label="Expires after" value={days} onChange={({ target }) => setDays(target.value)}>
        {EXPIRIES.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </Choice>
      <FormFooter of={form} action="Create key" />
    </Form>
  );
}
