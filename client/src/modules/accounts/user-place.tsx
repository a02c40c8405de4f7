import { Link, useLocation } from '@tanstack/react-router';
import { lazy } from 'react';
import { buttonVariants } from '@/kit/components/button.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { LazyMenu } from '@/kit/components/lazy-menu.tsx';
import { UserButton } from '@/kit/components/user-button.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';

const load = () => loadPart(async () => (await import('./lazy.ts')).menu());
const AccountMenu = lazy(async () => ({ default: (await load()).AccountMenu }));

/** The user's menu, or the way to sign in. */
export function UserPlace() {
  const { me } = useVisitor();
  const { pathname } = useLocation();
  if (!me) return <div className="h-9" />;
  const { user } = me;
  if (user)
    return (
      <LazyMenu load={load} button={<UserButton name={user.name} />}>
        {(button) => <AccountMenu {...user} button={button} />}
      </LazyMenu>
    );
  return (
    <Link
      to="/sign-in"
      search={pathname === '/' || pathname.startsWith('/sign') ? {} : { returnTo: pathname }}
      className={`${buttonVariants({ variant: 'outline' })} w-full md:max-lg:w-9 md:max-lg:px-0`}
    >
      <Icon name="user" />
      <span className="md:max-lg:sr-only">Sign in</span>
    </Link>
  );
}
