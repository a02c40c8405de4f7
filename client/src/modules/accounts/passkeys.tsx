import { useQuery } from '@tanstack/react-query';
import { addPasskey, type removePasskey } from '#contracts/accounts/passkeys.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { request } from '@/kit/lib/api.ts';
import { exactly } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { passkeysQuery, useAct } from './account-queries.ts';
import { ActDialog, FormFooter, fieldsOf, Loaded, Row, Rows, Section } from './components.tsx';
import { Failed } from './entry-card.tsx';
import { hasPasskeys, makePasskey } from './passkey.ts';
import { TEXTS } from './texts.ts';

const { queryKey } = passkeysQuery;

export function Passkeys() {
  const { me } = useVisitor();
  const canAdd = me?.offers.passkeys && hasPasskeys();
  const query = useQuery(passkeysQuery);
  const remove = useAct(
    (id: string) => request<typeof removePasskey>('DELETE', '/api/account/passkeys/:id', { params: { id } }),
    queryKey,
  );
  return (
    <Section
      title="Passkeys"
      lead={TEXTS.passkeys.lead}
      action={
        canAdd && (
          <ActDialog
            trigger={
              <Button variant="outline" icon="plus">
                Add a passkey
              </Button>
            }
            title="Add a passkey"
            lead={TEXTS.passkeys.how}
          >
            {(close) => <Add onDone={close} />}
          </ActDialog>
        )
      }
    >
      <Loaded of={query}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-muted">{canAdd ? TEXTS.passkeys.none : TEXTS.passkeys.unsupported}</p>
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
                    onConfirm={() => remove.mutateAsync(id)}
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

function Add({ onDone }: { onDone: () => void }) {
  const make = useAct(makePasskey, queryKey);
  const { userAgentData } = navigator as { userAgentData?: { platform: string } };
  const form = useForm(fieldsOf(addPasskey, 'name'), {
    guard: false,
    initial: { name: userAgentData?.platform || 'This device' },
    async send({ name }) {
      await make.mutateAsync(name.trim());
      onDone();
    },
  });
  return (
    <Form of={{ ...form, failure: undefined }} className="space-y-4">
      <Field
        {...form.field('name')}
        label="Name of the passkey"
        description="To tell it from others."
        autoComplete="off"
        autoFocus
      />
      <FormFooter of={form} action="Continue" />
      <Failed error={form.failure} />
    </Form>
  );
}
