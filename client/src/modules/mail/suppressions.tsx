import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { addSuppression, type MailSuppression } from '#contracts/mail.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { Table } from '@/kit/components/table.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { exactly } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { usePages } from '@/kit/lib/use-pages.ts';
import { FindAddress, Pages, Recipient } from './components.tsx';
import { suppressionsQuery, useSuppress, useUnsuppress } from './mail-queries.ts';

const REASONS: Record<MailSuppression['reason'], string> = {
  bounce: 'Bounced',
  complaint: 'Marked as spam',
  unsubscribe: 'Unsubscribed',
  operator: 'Added by an operator',
};

/** The addresses that get no mail. */
export function Suppressions() {
  const [address, setAddress] = useState('');
  const [isOpen, setOpen] = useState(false);
  const pages = usePages(address);
  const { data, error, refetch } = useQuery(suppressionsQuery(address, pages.cursor));
  const remove = useUnsuppress();
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <FindAddress onFind={setAddress} />
        <Button variant="outline" icon="plus" onClick={() => setOpen(true)}>
          Suppress an address
        </Button>
      </div>
      {data === undefined ? (
        error ? (
          <ErrorState error={error} onRetry={refetch} />
        ) : (
          <SkeletonRows />
        )
      ) : data.items.length === 0 ? (
        <Empty
          icon={address ? 'search' : 'check'}
          title={address ? 'Not suppressed' : 'No suppressed addresses'}
        >
          <p>
            {address
              ? 'This address gets email.'
              : 'An address that bounces, complains or unsubscribes is listed here, and gets no more email.'}
          </p>
        </Empty>
      ) : (
        <>
          <Table<MailSuppression>
            cards
            caption="Suppressed addresses"
            minWidth={640}
            columns={[
              {
                header: 'Recipient',
                width: '11rem',
                cell: ({ recipient }) => <Recipient hash={recipient} />,
              },
              {
                header: 'Reason',
                cell: ({ reason, bulkOnly }) => (
                  <>
                    <p className="font-medium">{REASONS[reason]}</p>
                    {bulkOnly && <p className="text-muted">Still gets all but bulk email</p>}
                  </>
                ),
              },
              { header: 'Since', width: '11.5rem', cell: ({ createdAt }) => exactly(createdAt) },
              {
                header: 'Action',
                width: '7rem',
                cell: ({ id, recipient, reason }) => (
                  <Confirm
                    trigger={
                      <Button variant="outline" aria-label={`Remove ${recipient.slice(0, 12)}`}>
                        Remove
                      </Button>
                    }
                    title="Send email to this address again?"
                    action="Remove"
                    onConfirm={async () => {
                      await remove.mutateAsync(id);
                      toast('Removed from the list');
                    }}
                  >
                    {WARNINGS[reason]}
                  </Confirm>
                ),
              },
            ]}
            rows={data.items}
            rowKey={({ id }) => id}
          />
          <Pages of={pages} next={data.nextCursor} />
        </>
      )}
      <Dialog open={isOpen} onOpenChange={setOpen}>
        <DialogContent
          title="Suppress an address"
          description="It gets no more email, whatever the application sends."
        >
          <NewSuppression onClose={() => setOpen(false)} />
        </DialogContent>
      </Dialog>
    </div>
  );
}

const WARNINGS: Record<MailSuppression['reason'], string> = {
  bounce:
    'An email came back. If the mailbox still does not exist, it bounces again, which costs your reputation.',
  complaint:
    'Its reader marked an email as spam. Another complaint costs your reputation: ask the person first.',
  unsubscribe: 'Its reader asked for no more of these emails. Remove it only if the person asks for it.',
  operator: 'An operator added it.',
};

function NewSuppression({ onClose }: { onClose: () => void }) {
  const suppress = useSuppress();
  const form = useForm(addSuppression, {
    guard: false,
    async send({ address }) {
      await suppress.mutateAsync(address.trim());
      onClose();
      toast('Suppressed');
    },
  });
  return (
    <Form of={form} className="space-y-4">
      <Field {...form.field('address')} type="email" label="Address" autoComplete="off" autoFocus />
      <div className="flex justify-end">
        <Button type="submit" pending={form.isSending}>
          Suppress
        </Button>
      </div>
    </Form>
  );
}
