/** YOURS. Every screen of the client: the template's modules and your features, a line each, in the order of the navigation. */
import { createRoute, createRouter } from '@tanstack/react-router';
import { home } from './features/home/screens.ts';
import { notes } from './features/notes/screens.ts';
import { root } from './kit/shell/root.ts';
import { screen } from './kit/shell/screen.ts';
import { ScreenError } from './kit/shell/screen-error.tsx';
import { accounts } from './modules/accounts/screens.ts';
import { jobs } from './modules/jobs/screens.ts';
import { mail, mailbox } from './modules/mail/screens.ts';
import { operations } from './modules/operations/screens.ts';

/** Screens for developers; the condition is constant, so a production build contains nothing of them. `--mode kit` is a test's. */
const development =
  import.meta.env.DEV || import.meta.env.MODE === 'kit'
    ? [
        createRoute({
          getParentRoute: () => root,
          path: '/kit',
          staticData: { navigation: { label: 'Kit', icon: 'pieces' } },
          component: screen(() => import('./kit/components-screen.tsx'), 'KitScreen'),
        }),
      ]
    : [];

export const router = createRouter({
  routeTree: root.addChildren([
    // A line each.
    home,
    notes,
    operations,
    jobs,
    mail,
    ...accounts,
    ...development,
    // The last one, since it comes once the server has said that this is development.
    mailbox,
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: ScreenError,
  defaultPendingMinMs: 0,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
