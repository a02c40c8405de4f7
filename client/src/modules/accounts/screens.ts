import { createRoute, redirect } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';
import type { Visitor } from '@/kit/shell/visitor.ts';
import { Overlay } from './overlay.tsx';
import { UserPlace } from './user-place.tsx';

const lazy = () => import('./lazy.ts');

/** An entry screen: it sends the person to `returnTo` in the end. */
const entry = <Path extends string, Name extends string>(
  path: Path,
  name: Name,
  load: (parts: Awaited<ReturnType<typeof lazy>>) => Promise<Record<Name, ComponentType>>,
) =>
  createRoute({
    getParentRoute: () => root,
    path,
    validateSearch: (search: { returnTo?: string }) => search,
    component: screen(async () => load(await lazy()), name),
  });

const isFor = ({ me }: Visitor) => me?.isOperator === true;

export const accounts = [
  entry('/sign-in', 'SignInScreen', ({ signIn }) => signIn()),
  entry('/sign-up', 'SignUpScreen', ({ signUp }) => signUp()),
  entry('/join', 'JoinScreen', ({ signUp }) => signUp()),
  entry('/setup', 'SetUpScreen', ({ signUp }) => signUp()),
  entry('/verify', 'VerifyScreen', ({ links }) => links()),
  entry('/reset', 'ResetScreen', ({ links }) => links()),
  createRoute({
    getParentRoute: () => root,
    path: '/account/{-$section}',
    staticData: { places: { user: UserPlace, overlay: Overlay } },
    component: screen(async () => (await lazy()).accountScreen(), 'AccountScreen'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin',
    beforeLoad: () => {
      throw redirect({ to: '/admin/users', replace: true });
    },
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/users',
    staticData: {
      navigation: { label: 'Users', icon: 'user', order: 1 },
      commands: [{ label: 'Users: invitations', icon: 'user', href: '/admin/users/invitations' }],
      isFor,
    },
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
    path: '/admin/users/invitations',
    staticData: { crumb: 'Invitations' },
    component: screen(async () => (await lazy()).invitationsScreen(), 'InvitationsScreen'),
  }),
] as const;
