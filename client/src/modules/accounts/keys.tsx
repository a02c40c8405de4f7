import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import {
  type endKey,
  type listKeys,
  type MadeKey,
  makeKey,
  type rotateKey,
} from '#contracts/accounts/keys.ts';
import { Alert } from '@/kit/components/alert.tsx';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Checkbox } from '@/kit/components/checkbox.tsx';
import { Code } from '@/kit/components/code.tsx';
import { Field, FieldRow } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { type Answer, request } from '@/kit/lib/api.ts';
import { ago, exactly } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { keysQuery, useAct } from './account-queries.ts';
import { fieldsOf, Loaded, Row, Rows, Section } from './pieces.tsx';
import { TEXTS } from './texts.ts';

const { queryKey } = keysQuery;
const OVERLAP_HOURS = 24;

export function Keys() {
  const query = useQuery(keysQuery);
  const [isOpen, setOpen] = useState(false);
  const [made, setMade] = useState<MadeKey>();
  const rotate = useAct(
    (id: string) =>
      request<typeof rotateKey>('POST', '/api/account/keys/:id/rotate', {
        params: { id },
        body: { overlapHours: OVERLAP_HOURS },
      }).then(setMade),
    queryKey,
  );
  const end = useAct(
    (id: string) => request<typeof endKey>('DELETE', '/api/account/keys/:id', { params: { id } }),
    queryKey,
  );
  return (
    <Section
      title="API keys"
      lead={TEXTS.keys.lead}
      action={
        !isOpen && (
          <Button variant="outline" icon="plus" onClick={() => setOpen(true)}>
            New key
          </Button>
        )
      }
    >
      <div role="status">
        {made && (
          <div className="mb-6">
            <Alert
              variant="success"
              title={`Your key “${made.apiKey.name}”`}
              action={
                <Button variant="ghost" size="sm" onClick={() => setMade(undefined)}>
                  Done
                </Button>
              }
            >
              <p className="mb-2">{TEXTS.keys.once}</p>
              <Code label="The key" text={made.key} />
            </Alert>
          </div>
        )}
      </div>
      <Loaded of={query}>
        {({ items, permissions }) => (
          <>
            {isOpen && (
              <NewKey
                permissions={permissions}
                onClose={(key) => {
                  setOpen(false);
                  if (key) setMade(key);
                }}
              />
            )}
            {items.length === 0 ? (
              !isOpen && !made && <p className="text-sm text-muted">{TEXTS.keys.none}</p>
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
                    <Confirm
                      trigger={
                        <Button variant="outline" aria-label={`Rotate ${name}`}>
                          Rotate
                        </Button>
                      }
                      title={`Rotate “${name}”?`}
                      action="Rotate key"
                      onConfirm={() => rotate.mutateAsync(id)}
                    >
                      {TEXTS.keys.rotate}
                    </Confirm>
                    <Confirm
                      trigger={
                        <Button variant="destructive" aria-label={`End ${name}`}>
                          End
                        </Button>
                      }
                      title={`End “${name}”?`}
                      action="End key"
                      onConfirm={() => end.mutateAsync(id).then(() => undefined)}
                    >
                      {TEXTS.keys.end}
                    </Confirm>
                  </Row>
                ))}
              </Rows>
            )}
          </>
        )}
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

function NewKey({
  permissions,
  onClose,
}: {
  permissions: Answer<typeof listKeys>['permissions'];
  onClose: (made?: MadeKey) => void;
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
    async send({ name }) {
      onClose(await make.mutateAsync(name.trim()));
    },
  });
  const offered = Object.entries(permissions);
  return (
    <Form of={form} className="mb-6 max-w-md space-y-4">
      <Field
        {...form.field('name')}
        label="Name"
        description="Such as the program that will use it."
        autoComplete="off"
        autoFocus
      />
      <fieldset>
        <legend className="text-sm font-medium">Permissions</legend>
        <p className="mb-1 text-sm text-muted">
          {offered.length > 0 ? TEXTS.keys.permissions : TEXTS.keys.nothing}
        </p>
        {offered.map(([name, meaning]) => (
          <FieldRow key={name} label={<code className="font-mono">{name}</code>} description={meaning}>
            <Checkbox
              checked={chosen.includes(name)}
              onCheckedChange={(isChecked) =>
                setChosen(isChecked ? [...chosen, name] : chosen.filter((one) => one !== name))
              }
            />
          </FieldRow>
        ))}
      </fieldset>
      <Choice label="Expires after" value={days} onChange={({ target }) => setDays(target.value)}>
        {EXPIRIES.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </Choice>
      <div className="flex gap-2">
        <Button type="submit" pending={form.isSending}>
          Make key
        </Button>
        <Button variant="ghost" onClick={() => onClose()}>
          Cancel
        </Button>
      </div>
    </Form>
  );
}
