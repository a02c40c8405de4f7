import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import type { Account } from '#contracts/accounts/account.ts';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/kit/components/tabs.tsx';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { accountQuery } from './account-queries.ts';
import { Loaded } from './components.tsx';
import { Keys } from './keys.tsx';
import { Passkeys } from './passkeys.tsx';
import { Profile } from './profile.tsx';
import { Sessions } from './sessions.tsx';
import { EmailAddress, Password } from './sign-in-methods.tsx';
import { TwoFactor } from './two-factor.tsx';
import { YourData } from './your-data.tsx';

const route = getRouteApi('/account/{-$section}');

const SignInMethods = ({ account }: { account: Account }) => (
  <>
    <EmailAddress account={account} />
    <Password account={account} />
    <TwoFactor account={account} />
    <Passkeys />
  </>
);

/** The sections by their addresses; the first is that of `/account`. */
const SECTIONS: [address: string, label: string, Content: ComponentType<{ account: Account }>][] = [
  ['profile', 'Profile', Profile],
  ['sign-in', 'Sign-in', SignInMethods],
  ['sessions', 'Sessions', Sessions],
  ['keys', 'API keys', Keys],
  ['data', 'Your data', YourData],
];

/** What a person may see and change of their account. */
export const AccountScreen = withServerData(function AccountScreen() {
  const { section = 'profile' } = route.useParams();
  const navigate = route.useNavigate();
  const { me, meFailure } = useVisitor();
  const { data, error, refetch } = useQuery(accountQuery);
  // Together with what the server offers, so that no section comes later than another.
  const loaded = { data: me && data, error: error ?? (meFailure as Error | undefined) ?? null, refetch };
  return (
    <div className="mx-auto max-w-3xl px-4 py-6 md:px-8">
      <ScreenHeading title="Account" />
      <Tabs
        className="mt-3"
        value={section}
        onValueChange={(next: string) =>
          void navigate({ params: { section: next === 'profile' ? undefined : next } })
        }
      >
        <TabsList aria-label="Account">
          {SECTIONS.map(([address, label]) => (
            <TabsTrigger key={address} value={address}>
              {label}
            </TabsTrigger>
          ))}
        </TabsList>
        {SECTIONS.map(([address, , Content]) => (
          <TabsContent key={address} value={address} className="space-y-4 py-5">
            <Loaded of={loaded}>{(account) => <Content account={account} />}</Loaded>
          </TabsContent>
        ))}
      </Tabs>
    </div>
  );
});
