import { lazyRouteComponent } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import type { IconName } from '@/kit/components/icon.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';

declare module '@tanstack/react-router' {
  interface StaticDataRouteOption {
    /** Puts the screen into the navigation, in the order of the route list. */
    navigation?: { label: string; icon: IconName };
    /** Its navigation and commands are offered to operators alone. Its address is open to all, and asks who they are. */
    forOperators?: true;
    /** Further commands of the screen for the palette: an address each, so that they need none of its code. */
    commands?: { label: string; icon?: IconName; shortcut?: string; href: string }[];
  }
}

/** A screen in a file of its own, loaded when it is first shown or pointed at. */
export function screen<Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) {
  return lazyRouteComponent(() => loadPart(load), name);
}
