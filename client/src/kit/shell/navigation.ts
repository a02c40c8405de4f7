import type { AnyRoute, AnyRouter } from '@tanstack/react-router';
import type { NavigationItem } from './frame.tsx';

/** The routes this visitor may see, in the order of the route list. */
export const offeredRoutes = (router: AnyRouter, isOperator: boolean): AnyRoute[] =>
  Object.values<AnyRoute>(router.routesByPath).filter(
    ({ options }) => isOperator || options.staticData?.forOperators !== true,
  );

/** The navigation items, in the order of the route list. */
export const navigationOf = (router: AnyRouter, isOperator: boolean): NavigationItem[] =>
  offeredRoutes(router, isOperator).flatMap(({ fullPath, options }) =>
    options.staticData?.navigation ? [{ to: fullPath, ...options.staticData.navigation }] : [],
  );
