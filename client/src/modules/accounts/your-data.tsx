import type { Account, eraseAccount, exportAccount } from '#contracts/accounts/account.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Button } from '@/kit/components/button.tsx';
import { request } from '@/kit/lib/api.ts';
import { useAct } from './account-queries.ts';
import { download, Section } from './components.tsx';
import { Failed } from './entry-card.tsx';
import { goOn } from './me.ts';
import { TEXTS } from './texts.ts';

export function YourData({ account: { email } }: { account: Account }) {
  const copy = useAct(async () => {
    const data = await request<typeof exportAccount>('GET', '/api/account/export');
    download('account.json', 'application/json', JSON.stringify(data, null, 2));
  });
  return (
    <>
      <Section title="Export" lead={TEXTS.data.export}>
        <div className="space-y-3">
          <Button variant="outline" pending={copy.isPending} onClick={() => copy.mutate()}>
            Download your data
          </Button>
          <Failed error={copy.error} />
        </div>
      </Section>
      <Section title="Delete your account" lead={TEXTS.data.erase}>
        <Confirm
          trigger={<Button variant="destructive">Delete account</Button>}
          title="Delete your account?"
          action="Delete account"
          typed={email}
          onConfirm={async () => {
            await request<typeof eraseAccount>('POST', '/api/account/erase', { body: { email } });
            goOn('/');
          }}
        >
          {TEXTS.data.erase} This cannot be undone.
        </Confirm>
      </Section>
    </>
  );
}
