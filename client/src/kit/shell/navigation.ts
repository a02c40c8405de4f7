import type { AnyRoute, AnyRouter } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import type { NavigationItem } from './frame.tsx';
import type { Visitor } from './visitor.ts';

/** The routes that are offered to this visitor, in the order of the route list. */
export const offeredRoutes = (router: AnyRouter, visitor: Visitor): AnyRoute[] =>
  Object.values<AnyRoute>(router.routesByPath).filter(
    ({ options: { staticData } }) =>
      (visitor.isOperator || staticData?.forOperators !== true) && (staticData?.isFor?.(visitor) ?? true),
  );

/** The navigation items: those without a group, then group by group. */
export function navigationOf(router: AnyRouter, visitor: Visitor): NavigationItem[] {
  const items = offeredRoutes(router, visitor)
    .flatMap(({ fullPath, options: { staticData } }) =>
      staticData?.navigation ? [{ to: fullPath, ...staticData.navigation }] : [],
    )
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  const groups = Object.groupBy(items, ({ group }) => group ?? '');
  return [groups[''] ?? [], ...Object.entries(groups).map(([name, list]) => (name === '' ? [] : list))]
    .flat()
    .filter((item) => item !== undefined);
}

/** The component of a place of the shell, such as the user's menu; undefined where no part brings one. */
export const placeOf = (
  router: AnyRouter,
  place: 'organisation' | 'user' | 'overlay',
): ComponentType | undefined =>
  Object.values<AnyRoute>(router.routesById)
    .map(({ options }) => options.staticData?.places?.[place])
    .find((component) => component !== undefined);

export type Crumb = { label: string; to?: string };

/**
 * The way to a screen: the screens of the navigation and those with a `crumb` above its address, and itself.
 *
 * @returns Nothing for a screen without a `crumb`.
 */
export function crumbsOf(router: AnyRouter, pathname: string): Crumb[] {
  const segments = pathname.split('/').filter(Boolean);
  const crumbs = segments.flatMap((_, index): Crumb[] => {
    const to = `/${segments.slice(0, index + 1).join('/')}`;
    const [, , foundRoute] = router.getMatchedRoutes(to);
    const { crumb, navigation } = foundRoute?.options.staticData ?? {};
    const label = crumb ?? (index < segments.length - 1 ? navigation?.label : undefined);
    return label === undefined ? [] : [{ label, to }];
  });
  const last = crumbs.at(-1);
  if (crumbs.length < 2 || last?.to !== `/${segments.join('/')}`) return [];
  return [...crumbs.slice(0, -1), { label: last.label }];
}
