import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import type { NotesSearch } from './features/notes/notes-search.ts';
import { NotFound } from './kit/shell/not-found.tsx';
import { screen } from './kit/shell/screen.ts';
import { ScreenError } from './kit/shell/screen-error.tsx';
import { Shell } from './kit/shell/shell.tsx';
import { operationsSearch } from './modules/operations/operations-search.ts';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  staticData: { navigation: { label: 'Home', icon: 'home' } },
  component: screen(() => import('./features/home/home-screen.tsx'), 'HomeScreen'),
});

const notes = createRoute({
  getParentRoute: () => root,
  path: '/notes',
  staticData: {
    navigation: { label: 'Notes', icon: 'note' },
    commands: [{ label: 'New note', icon: 'plus', shortcut: 'N', href: '/notes?new=true' }],
  },
  validateSearch: ({ search, new: isNew }: Record<string, unknown>): NotesSearch => ({
    ...(search === undefined ? {} : { search: String(search) }),
    ...(isNew ? { new: true } : {}),
  }),
  component: screen(() => import('./features/notes/notes-screen.tsx'), 'NotesScreen'),
});

const note = createRoute({
  getParentRoute: () => notes,
  path: '$id',
  component: screen(() => import('./features/notes/note-pane.tsx'), 'NotePane'),
});

const operations = createRoute({
  getParentRoute: () => root,
  id: 'operations',
  validateSearch: operationsSearch,
  component: screen(() => import('./modules/operations/operations-screen.tsx'), 'OperationsScreen'),
});

const operationsScreens = [
  createRoute({
    getParentRoute: () => operations,
    path: '/ops',
    staticData: {
      navigation: { label: 'Operations', icon: 'pulse' },
      forOperators: true,
      commands: ['Routes', 'Resources', 'Errors', 'Logs', 'Alerts', 'Settings'].map((name) => ({
        label: `Operations: ${name.toLowerCase()}`,
        icon: 'pulse',
        href: `/ops/${name.toLowerCase()}`,
      })),
    },
    component: screen(() => import('./modules/operations/overview-screen.tsx'), 'OverviewScreen'),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: '/ops/routes',
    component: screen(() => import('./modules/operations/routes-screen.tsx'), 'RoutesScreen'),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: '/ops/resources',
    component: screen(() => import('./modules/operations/resources-screen.tsx'), 'ResourcesScreen'),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: '/ops/errors',
    component: screen(() => import('./modules/operations/errors-screen.tsx'), 'ErrorsScreen'),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: '/ops/logs',
    component: screen(() => import('./modules/operations/logs-screen.tsx'), 'LogsScreen'),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: '/ops/alerts',
    component: screen(() => import('./modules/operations/alerts-screen.tsx'), 'AlertsScreen'),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: '/ops/settings',
    component: screen(() => import('./modules/operations/settings-screen.tsx'), 'SettingsScreen'),
  }),
] as const;

/** Screens for developers; the condition is constant, so a production build contains nothing of them. */
const development = import.meta.env.DEV
  ? [
      createRoute({
        getParentRoute: () => root,
        path: '/dev/pieces',
        staticData: { navigation: { label: 'Pieces', icon: 'pieces' } },
        component: screen(() => import('./kit/components-screen.tsx'), 'PiecesScreen'),
      }),
    ]
  : [];

/** Every screen of the client, in the order of the navigation. */
export const router = createRouter({
  routeTree: root.addChildren([
    home,
    notes.addChildren([note]),
    operations.addChildren(operationsScreens),
    ...development,
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
