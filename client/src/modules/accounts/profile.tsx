import { useQueryClient } from '@tanstack/react-query';
import { type Account, changeAccount, type Me } from '#contracts/accounts/account.ts';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { request } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { accountQuery } from './account-queries.ts';
import { fieldsOf, Section } from './components.tsx';
import { loadMe } from './me.ts';
import { initialOf, ProfileFields, profileIn, withProfile } from './profile-fields.tsx';
import { TEXTS } from './texts.ts';

/** Anew for what is saved, so that the form begins with it. */
export function Profile({ account }: { account: Account }) {
  const { me } = useVisitor();
  const { name, profile } = account;
  return (
    me && <ProfileForm key={JSON.stringify([name, profile])} account={account} fields={me.offers.profile} />
  );
}

function ProfileForm({ account, fields }: { account: Account; fields: Me['offers']['profile'] }) {
  const client = useQueryClient();
  const form = useForm(withProfile(fieldsOf(changeAccount, 'name'), fields), {
    initial: { name: account.name, ...initialOf(fields, account.profile) },
    required: ['name'],
    async send({ name, ...more }) {
      const profile = profileIn(more, fields);
      const saved = await request<typeof changeAccount>('PATCH', '/api/account', {
        body: { name: name?.trim() ?? '', ...(Object.keys(profile).length > 0 && { profile }) },
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
        <ProfileFields of={form} profile={fields} />
        <Button type="submit" pending={form.isSending} disabled={!form.isDirty}>
          Save
        </Button>
      </Form>
    </Section>
  );
}
