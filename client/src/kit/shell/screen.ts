import { lazyRouteComponent } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import type { IconName } from '@/kit/components/icon.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';

declare module '@tanstack/react-router' {
  interface StaticDataRouteOption {
    /** Adds the screen to the navigation, in the order of the route list. */
    navigation?: { label: string; icon: IconName };
    /** Shows its navigation and commands to operators only. The address itself asks visitors to sign in. */
    forOperators?: true;
    /** Commands for the palette. Each is an address, so that the screen's code need not be loaded. */
    commands?: { label: string; icon?: IconName; shortcut?: string; href: string }[];
  }
}

/** A lazily loaded screen: fetched when it is shown or its link is hovered. */
export function screen<Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) {
  return lazyRouteComponent(() => loadPart(load), name);
}
