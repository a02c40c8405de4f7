import { lazyRouteComponent } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import type { IconName } from '@/kit/components/icon.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import type { Visitor } from './visitor.ts';

declare module '@tanstack/react-router' {
  interface StaticDataRouteOption {
    /**
     * Adds the screen to the navigation: by `order` (0 where it is absent), then in the order of the route list. Screens of
     * one `group` stand together under its name, after those without one.
     */
    navigation?: { label: string; icon: IconName; group?: string; order?: number };
    /** Its name in the breadcrumb, which is shown where a screen of the navigation is above it. */
    crumb?: string;
    /** Offers its navigation, commands and search to operators only. The address itself asks visitors to sign in. */
    forOperators?: true;
    /** The same by a rule of one's own. */
    isFor?: (visitor: Visitor) => boolean;
    /** Commands for the palette. Each is an address, so that the screen's code need not be loaded. */
    commands?: { label: string; icon?: IconName; shortcut?: string; href: string }[];
    /** Lets the palette find data by what is typed. */
    search?: DataSearch;
    /**
     * What stands in the shell's places: an organisation's switcher under the name, the user's menu at the bottom, and what is
     * over every screen, such as a notice.
     */
    places?: { organisation?: ComponentType; user?: ComponentType; overlay?: ComponentType };
  }
}

export type DataSearch = {
  /** What is found: `Notes`. */
  label: string;
  icon: IconName;
  /** @param signal Aborted when more is typed. @returns A few hits, best first. */
  find: (text: string, signal: AbortSignal) => Promise<{ label: string; href: string }[]>;
};

/** A lazily loaded screen: fetched when it is shown or its link is hovered. */
export function screen<Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) {
  return lazyRouteComponent(() => loadPart(load), name);
}
