import type { AnyRouter } from '@tanstack/react-router';
import type { NavigationItem } from './frame.tsx';

/** The screens that the route list puts into the navigation, in its order. */
export const navigationOf = (router: AnyRouter): NavigationItem[] =>
  Object.values(router.routesByPath).flatMap(({ fullPath, options }) =>
    options.staticData?.navigation ? [{ to: fullPath, ...options.staticData.navigation }] : [],
  );
