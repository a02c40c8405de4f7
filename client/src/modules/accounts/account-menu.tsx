import { useNavigate } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import type { signOut } from '#contracts/accounts/sign-in.ts';
import { DropdownMenuItem } from '@/kit/components/dropdown-menu.tsx';
import { OpenedMenu } from '@/kit/components/opened-menu.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { UserMenuContent } from '@/kit/components/user-menu.tsx';
import { explain, request } from '@/kit/lib/api.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { goOn } from './me.ts';

/** The menu of who is signed in. */
export function AccountMenu({ button, name, email }: { button: ReactElement; name: string; email: string }) {
  const navigate = useNavigate();
  const { me } = useVisitor();
  const leave = () =>
    request<typeof signOut>('POST', '/api/account/sign-out').then(
      () => goOn('/'),
      (error: unknown) => toast.error(`You are still signed in. ${explain(error).title}.`),
    );
  return (
    <OpenedMenu button={button}>
      <UserMenuContent name={name} email={email} onSignOut={leave}>
        <DropdownMenuItem
          icon="user"
          onClick={() => navigate({ to: '/account/{-$section}', params: { section: undefined } })}
        >
          Account
        </DropdownMenuItem>
        {me?.isOperator && (
          <DropdownMenuItem icon="table" onClick={() => navigate({ to: '/admin/users' })}>
            Users
          </DropdownMenuItem>
        )}
      </UserMenuContent>
    </OpenedMenu>
  );
}
