import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type endInvitation, invite } from '#contracts/accounts/admin.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Code } from '@/kit/components/code.tsx';
import { DialogFooter } from '@/kit/components/dialog.tsx';
import { Form } from '@/kit/components/form.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { request } from '@/kit/lib/api.ts';
import { capital, exactly, list } from '@/kit/lib/format.ts';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { useForm } from '@/kit/lib/use-form.ts';
import { useAct } from '../account-queries.ts';
import { ActDialog, Choices, FormFooter, fieldsOf, Loaded, Row, Rows, Section } from '../components.tsx';
import { EmailField } from '../entry-card.tsx';
import { TEXTS } from '../texts.ts';
import { invitationsQuery, rolesQuery } from './admin-queries.ts';

const { queryKey } = invitationsQuery;

/** Who is invited and has not come yet, and the form that invites. */
export const InvitationsScreen = withServerData(function InvitationsScreen() {
  const query = useQuery(invitationsQuery);
  const end = useAct(
    (id: string) => request<typeof endInvitation>('DELETE', '/api/admin/invitations/:id', { params: { id } }),
    queryKey,
  );
  return (
    <div className="mx-auto max-w-screen-2xl px-4 py-6 md:px-8">
      <ScreenHeading title="Invitations" />
      <div className="mt-4 max-w-3xl">
        <Loaded of={query}>
          {({ items }) => (
            <Section
              title="Open"
              lead={TEXTS.invitations.lead}
              action={
                <ActDialog
                  trigger={
                    <Button variant="outline" icon="plus">
                      Invite
                    </Button>
                  }
                  title="Invite"
                  lead={TEXTS.invitations.how}
                >
                  {(close) => <Invite onDone={close} />}
                </ActDialog>
              }
            >
              {items.length === 0 ? (
                <p className="text-sm text-muted">{TEXTS.invitations.none}</p>
              ) : (
                <Rows label="Invitations">
                  {items.map(({ id, email, roles, createdAt, expiresAt }) => (
                    <Row
                      key={id}
                      title={email}
                      detail={`${roles.length > 0 ? `As ${list(roles)} · ` : ''}sent ${exactly(createdAt)} · expires ${exactly(expiresAt)}`}
                    >
                      <Confirm
                        trigger={
                          <Button variant="outline" aria-label={`Withdraw the invitation for ${email}`}>
                            Withdraw
                          </Button>
                        }
                        title={`Withdraw the invitation for ${email}?`}
                        action="Withdraw it"
                        onConfirm={() => end.mutateAsync(id)}
                      >
                        {TEXTS.invitations.end}
                      </Confirm>
                    </Row>
                  ))}
                </Rows>
              )}
            </Section>
          )}
        </Loaded>
      </div>
    </div>
  );
});

function Invite({ onDone }: { onDone: () => void }) {
  const { data } = useQuery(rolesQuery);
  const [roles, setRoles] = useState<string[]>([]);
  const send = useAct(
    (email: string) =>
      request<typeof invite>('POST', '/api/admin/invitations', {
        body: { email, ...(roles.length > 0 && { roles }) },
      }),
    queryKey,
  );
  const form = useForm(fieldsOf(invite, 'email'), {
    guard: false,
    async send({ email }) {
      const { link } = await send.mutateAsync(email);
      if (link !== null) return;
      toast.success(TEXTS.invitations.sent(email));
      onDone();
    },
  });
  if (send.data?.link)
    return (
      <div className="space-y-4">
        <p>{TEXTS.invitations.link}</p>
        <Code label="The link" text={send.data.link} />
        <DialogFooter>
          <Button onClick={onDone}>I have copied it</Button>
        </DialogFooter>
      </div>
    );
  return (
    <Form of={form} className="space-y-4">
      <EmailField of={form.field('email')} autoComplete="off" autoFocus />
      {data && data.length > 0 && (
        <fieldset>
          <legend className="text-sm font-medium">Roles</legend>
          <Choices
            of={data.map(({ name }) => ({ name, label: capital(name) }))}
            chosen={roles}
            onChange={setRoles}
          />
        </fieldset>
      )}
      <FormFooter of={form} action="Invite" />
    </Form>
  );
}
