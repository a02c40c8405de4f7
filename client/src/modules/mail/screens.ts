import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';
import { mailSearch } from './mail-search.ts';

export const mail = createRoute({
  getParentRoute: () => root,
  path: '/ops/mail',
  staticData: {
    navigation: { label: 'Email delivery', icon: 'mail' },
    crumb: 'Email delivery',
    forOperators: true,
  },
  validateSearch: mailSearch,
  component: screen(() => import('./mail-screen.tsx'), 'MailScreen'),
});

const list = createRoute({
  getParentRoute: () => root,
  path: '/dev/mail',
  staticData: {
    navigation: { label: 'Mailbox', icon: 'inbox' },
    isFor: ({ isDeveloper }) => isDeveloper === true,
  },
  component: screen(() => import('./mailbox-screen.tsx'), 'MailboxScreen'),
});

const one = createRoute({
  getParentRoute: () => list,
  path: '$id',
  component: screen(() => import('./mailbox-pane.tsx'), 'MailboxPane'),
});

/** The mailbox of development, under `npm run dev` and `npm start`. Elsewhere there is nothing at its address. */
export const mailbox = list.addChildren([one]);
