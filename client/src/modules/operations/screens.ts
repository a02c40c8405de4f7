import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';
import { operationsSearch } from './operations-search.ts';

const frame = createRoute({
  getParentRoute: () => root,
  id: 'operations',
  validateSearch: operationsSearch,
  component: screen(() => import('./operations-screen.tsx'), 'OperationsScreen'),
});

const overview = createRoute({
  getParentRoute: () => frame,
  path: '/ops',
  staticData: {
    navigation: { label: 'Operations', icon: 'pulse' },
    forOperators: true,
    commands: ['Routes', 'Resources', 'Errors', 'Logs', 'Alerts', 'Settings'].map((name) => ({
      label: `Operations: ${name.toLowerCase()}`,
      icon: 'pulse' as const,
      href: `/ops/${name.toLowerCase()}`,
    })),
  },
  component: screen(() => import('./overview-screen.tsx'), 'OverviewScreen'),
});

const routes = createRoute({
  getParentRoute: () => frame,
  path: '/ops/routes',
  component: screen(() => import('./routes-screen.tsx'), 'RoutesScreen'),
});

const resources = createRoute({
  getParentRoute: () => frame,
  path: '/ops/resources',
  component: screen(() => import('./resources-screen.tsx'), 'ResourcesScreen'),
});

const errors = createRoute({
  getParentRoute: () => frame,
  path: '/ops/errors',
  component: screen(() => import('./errors-screen.tsx'), 'ErrorsScreen'),
});

const logs = createRoute({
  getParentRoute: () => frame,
  path: '/ops/logs',
  component: screen(() => import('./logs-screen.tsx'), 'LogsScreen'),
});

const alerts = createRoute({
  getParentRoute: () => frame,
  path: '/ops/alerts',
  component: screen(() => import('./alerts-screen.tsx'), 'AlertsScreen'),
});

const settings = createRoute({
  getParentRoute: () => frame,
  path: '/ops/settings',
  component: screen(() => import('./settings-screen.tsx'), 'SettingsScreen'),
});

export const operations = frame.addChildren([overview, routes, resources, errors, logs, alerts, settings]);
