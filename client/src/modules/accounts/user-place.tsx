import { Link, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { Icon } from '@/kit/components/icon.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';

const AccountMenu = lazy(async () => ({
  default: (await loadPart(() => import('./account-menu.tsx'))).AccountMenu,
}));
const room = <div className="h-9" />;

/** The user's menu, whose code loads once somebody is signed in, or the way to sign in. */
export function UserPlace() {
  const { me } = useVisitor();
  const path = useRouterState({ select: ({ location }) => location.pathname });
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
      search={path === '/' || path.startsWith('/sign') ? {} : { returnTo: path }}
      className="flex h-9 items-center gap-3 rounded-md px-3 text-sm text-muted transition-colors hover:bg-hover hover:text-text aria-[current=page]:bg-hover aria-[current=page]:text-text pointer-coarse:min-h-11 max-md:h-11 md:max-lg:w-10 md:max-lg:justify-center"
    >
      <Icon name="user" />
      <span className="md:max-lg:sr-only">Sign in</span>
    </Link>
  );
}
