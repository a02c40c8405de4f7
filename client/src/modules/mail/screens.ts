import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';
import { mailSearch } from './mail-search.ts';

export const mail = createRoute({
  getParentRoute: () => root,
  path: '/ops/mail',
  staticData: { navigation: { label: 'Mail', icon: 'mail' }, crumb: 'Mail', forOperators: true },
  validateSearch: mailSearch,
  component: screen(() => import('./mail-screen.tsx'), 'MailScreen'),
});

/** The development mailbox. A function, so that a build that does not call it contains nothing of it. */
export function mailbox() {
  const list = createRoute({
    getParentRoute: () => root,
    path: '/dev/mail',
    staticData: { navigation: { label: 'Mailbox', icon: 'inbox' } },
    component: screen(() => import('./mailbox-screen.tsx'), 'MailboxScreen'),
  });
  const one = createRoute({
    getParentRoute: () => list,
    path: '$id',
    component: screen(() => import('./mailbox-pane.tsx'), 'MailboxPane'),
  });
  return list.addChildren([one]);
}
