import { Link, useLocation } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { buttonVariants } from '@/kit/components/button.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';

const AccountMenu = lazy(async () => ({
  default: (await (await loadPart(() => import('./lazy.ts'))).menu()).AccountMenu,
}));
const room = <div className="h-9" />;

/** The user's menu, whose code loads once a user is signed in, or the way to sign in. */
export function UserPlace() {
  const { me } = useVisitor();
  const { pathname } = useLocation();
  if (!me) return room;
  if (me.user)
    return (
      <Suspense fallback={room}>
        <AccountMenu {...me.user} />
      </Suspense>
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
