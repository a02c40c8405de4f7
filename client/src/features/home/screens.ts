import { createRoute } from '@tanstack/react-router';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';

export const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  staticData: { navigation: { label: 'Home', icon: 'home' } },
  component: screen(() => import('./home-screen.tsx'), 'HomeScreen'),
});
