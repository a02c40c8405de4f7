import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';
import type { Visitor } from '@/kit/shell/visitor.ts';
import { Overlay } from './overlay.tsx';
import { UserPlace } from './user-place.tsx';

type EntryScreens = typeof import('./entry-screens.tsx');

/** A screen to come in by: it sends the person to `returnTo` in the end. */
const entry = <Path extends string>(path: Path, name: keyof EntryScreens) =>
  createRoute({
    getParentRoute: () => root,
    path,
    validateSearch: ({ returnTo }: { returnTo?: string }) => ({ ...(returnTo && { returnTo }) }),
    component: screen(() => import('./entry-screens.tsx'), name),
  });

const isFor = ({ me }: Visitor) => me?.isOperator === true;

export const accounts = [
  entry('/sign-in', 'SignInScreen'),
  entry('/sign-up', 'SignUpScreen'),
  entry('/join', 'JoinScreen'),
  entry('/verify', 'VerifyScreen'),
  entry('/reset', 'ResetScreen'),
  entry('/setup', 'SetUpScreen'),
  createRoute({
    getParentRoute: () => root,
    path: '/account/{-$section}',
    staticData: { places: { user: UserPlace, overlay: Overlay } },
    component: screen(() => import('./account-screen.tsx'), 'AccountScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/users',
    staticData: { navigation: { label: 'Users', icon: 'user', order: 1 }, isFor },
    validateSearch: ({ search, role, state }: { search?: string; role?: string; state?: string }) => ({
      ...(search && { search: String(search) }),
      ...(role && { role }),
      ...(state && { state }),
    }),
    component: screen(() => import('./admin/users-screen.tsx'), 'UsersScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/users/$id',
    staticData: { crumb: 'User' },
    component: screen(() => import('./admin/user-screen.tsx'), 'UserScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/invitations',
    component: screen(() => import('./admin/invitations-screen.tsx'), 'InvitationsScreen'),
  }),
] as const;
