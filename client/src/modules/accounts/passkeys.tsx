import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { addPasskey, type removePasskey } from '#contracts/accounts/account.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { request } from '@/kit/lib/api.ts';
import { exactly } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { passkeysQuery, useAct } from './account-queries.ts';
import { Failed } from './entry-card.tsx';
import { hasPasskeys, makePasskey } from './passkey.ts';
import { fieldsOf, Loaded, Row, Rows, Section } from './pieces.tsx';
import { TEXTS } from './texts.ts';

const { queryKey } = passkeysQuery;

export function Passkeys() {
  const query = useQuery(passkeysQuery);
  const [isOpen, setOpen] = useState(false);
  const remove = useAct(
    (id: string) => request<typeof removePasskey>('DELETE', '/api/account/passkeys/:id', { params: { id } }),
    queryKey,
  );
  return (
    <Section
      title="Passkeys"
      lead={TEXTS.passkeys.lead}
      action={
        !isOpen &&
        hasPasskeys() && (
          <Button variant="outline" icon="plus" onClick={() => setOpen(true)}>
            Add a passkey
          </Button>
        )
      }
    >
      {isOpen && <Add onClose={() => setOpen(false)} />}
      <Loaded of={query}>
        {({ items }) =>
          items.length === 0 ? (
            !isOpen && (
              <p className="text-sm text-muted">
                {hasPasskeys() ? TEXTS.passkeys.none : TEXTS.passkeys.unsupported}
              </p>
            )
          ) : (
            <Rows label="Passkeys">
              {items.map(({ id, name, createdAt, backedUp }) => (
                <Row
                  key={id}
                  title={
                    <>
                      {name}
                      {backedUp && <Badge variant="secondary">Synced</Badge>}
                    </>
                  }
                  detail={`Added ${exactly(createdAt)}`}
                >
                  <Confirm
                    trigger={
                      <Button variant="outline" aria-label={`Remove ${name}`}>
                        Remove
                      </Button>
                    }
                    title={`Remove “${name}”?`}
                    action="Remove passkey"
                    onConfirm={() => remove.mutateAsync(id).then(() => undefined)}
                  >
                    {TEXTS.passkeys.remove}
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

function Add({ onClose }: { onClose: () => void }) {
  const make = useAct(makePasskey, queryKey);
  const { userAgentData } = navigator as { userAgentData?: { platform: string } };
  const form = useForm(fieldsOf(addPasskey, 'name'), {
    guard: false,
    initial: { name: userAgentData?.platform || 'This device' },
    async send({ name }) {
      await make.mutateAsync(name.trim());
      onClose();
    },
  });
  return (
    <Form of={{ ...form, failure: undefined }} className="mb-6 max-w-sm space-y-4">
      <Field
        {...form.field('name')}
        label="Name of the passkey"
        description="To tell it from others."
        autoComplete="off"
        autoFocus
      />
      <Failed error={form.failure} />
      <div className="flex gap-2">
        <Button type="submit" pending={form.isSending}>
          Continue
        </Button>
        <Button variant="ghost" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Form>
  );
}
