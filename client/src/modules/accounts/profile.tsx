import { useQueryClient } from '@tanstack/react-query';
import { type Account, changeAccount } from '#contracts/accounts/account.ts';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { accountQuery } from './account-queries.ts';
import { loadMe } from './me.ts';
import { fieldsOf, Section } from './pieces.tsx';
import { TEXTS } from './texts.ts';

/** The name. Anew for what is saved, so that the form begins with it. */
export const Profile = ({ account }: { account: Account }) => <Name key={account.name} account={account} />;

function Name({ account }: { account: Account }) {
  const client = useQueryClient();
  const form = useForm(fieldsOf(changeAccount, 'name'), {
    initial: { name: account.name },
    required: ['name'],
    async send({ name }) {
      const saved = await request<typeof changeAccount>('PATCH', '/api/account', {
        body: { name: name?.trim() ?? '' },
      });
      client.setQueryData(accountQuery.queryKey, saved);
      toast.success('Saved');
      loadMe().catch(() => {});
    },
  });
  return (
    <Section title="Profile">
      <Form of={form} className="max-w-sm space-y-4">
        <Field {...form.field('name')} label="Name" autoComplete="name" description={TEXTS.profile.name} />
        <Button type="submit" pending={form.isSending} disabled={!form.isDirty}>
          Save
        </Button>
      </Form>
    </Section>
  );
}
