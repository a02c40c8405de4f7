import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';
import type { Visitor } from '@/kit/shell/visitor.ts';
import { Overlay } from './overlay.tsx';
import { UserPlace } from './user-place.tsx';

const lazy = () => import('./lazy.ts');

/** A screen to come in by: it sends the person to `returnTo` in the end. */
const entry = <Path extends string>(path: Path, name: keyof typeof import('./entry-screens.tsx')) =>
  createRoute({
    getParentRoute: () => root,
    path,
    validateSearch: (search: { returnTo?: string }) => search,
    component: screen(async () => (await lazy()).entryScreens(), name),
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
    component: screen(async () => (await lazy()).accountScreen(), 'AccountScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/users',
    staticData: { navigation: { label: 'Users', icon: 'user', order: 1 }, isFor },
    validateSearch: (search: { search?: string; role?: string; state?: string }) => search,
    component: screen(async () => (await lazy()).usersScreen(), 'UsersScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/users/$id',
    staticData: { crumb: 'User' },
    component: screen(async () => (await lazy()).userScreen(), 'UserScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/invitations',
    component: screen(async () => (await lazy()).invitationsScreen(), 'InvitationsScreen'),
  }),
] as const;
