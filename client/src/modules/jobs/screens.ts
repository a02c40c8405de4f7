import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';

export const jobs = createRoute({
  getParentRoute: () => root,
  path: '/ops/jobs',
  staticData: { navigation: { label: 'Jobs', icon: 'play' }, crumb: 'Jobs', forOperators: true },
  component: screen(() => import('./jobs-screen.tsx'), 'JobsScreen'),
});
