import type { AnyRoute, AnyRouter } from '@tanstack/react-router';
import type { NavigationItem } from './frame.tsx';

/** The routes that this visitor is offered, in the order of the route list. */
export const offeredRoutes = (router: AnyRouter, isOperator: boolean): AnyRoute[] =>
  Object.values<AnyRoute>(router.routesByPath).filter(
    ({ options }) => isOperator || options.staticData?.forOperators !== true,
  );

/** The screens that the route list puts into the navigation, in its order. */
export const navigationOf = (router: AnyRouter, isOperator: boolean): NavigationItem[] =>
  offeredRoutes(router, isOperator).flatMap(({ fullPath, options }) =>
    options.staticData?.navigation ? [{ to: fullPath, ...options.staticData.navigation }] : [],
  );
