import { type ComponentType, Fragment, type ReactNode } from 'react';
import { Icon, type IconName } from '@/kit/components/icon.tsx';
import { More } from './more.tsx';

export type NavigationItem = { to: string; label: string; icon: IconName; group?: string };

type Props = {
  items: NavigationItem[];
  /** The link component: the router's in the browser, a plain anchor in the prerendered page. */
  Anchor: ComponentType<{ to: string; className: string; children: ReactNode }>;
  /** Under the name: an organisation's switcher. */
  organisation?: ReactNode;
  /** At the bottom: the user's menu. */
  user?: ReactNode;
  /** Shown at the bottom of the sidebar, and at the end of the bar on phones. */
  tools: ReactNode;
  /** Overlays: progress, banners, messages. */
  overlays?: ReactNode;
  children?: ReactNode;
};

const item =
  'flex items-center rounded-md text-muted transition-colors hover:bg-hover hover:text-text aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-text ' +
  'md:min-h-9 md:justify-center md:gap-3 md:text-sm md:pointer-coarse:min-h-11 lg:justify-start lg:px-3';
/** An entry of the bar on phones. */
export const barItem =
  'focus-inset max-md:min-h-14 max-md:min-w-14 max-md:grow max-md:flex-col max-md:justify-center max-md:gap-0.5 max-md:text-xs';

/** The bar on phones has five places: this many for screens, then Commands and More. A screen that is offered late moves no other. */
const MAX_IN_BAR = 3;

/** The layout: a sidebar of 224 px on wide screens and 56 px on tablets, and a bottom bar on phones. */
export function Frame({ items, Anchor, organisation, user, tools, overlays, children }: Props) {
  return (
    <div className="md:grid md:grid-cols-[56px_minmax(0,1fr)] lg:grid-cols-[224px_minmax(0,1fr)]">
      <a
        href="#main"
        className="fixed top-2 left-2 z-30 -translate-y-20 rounded-md bg-accent px-4 py-2 text-sm font-medium text-on-accent focus:translate-y-0"
      >
        Skip to content
      </a>
      <header className="z-10 bg-background max-md:fixed max-md:inset-x-0 max-md:bottom-0 max-md:grid max-md:grid-cols-5 max-md:border-t max-md:px-1 max-md:pb-[env(safe-area-inset-bottom)] md:sticky md:top-0 md:flex md:h-dvh md:flex-col md:border-r md:p-2 lg:p-3">
        <div className="flex h-9 items-center gap-2.5 font-semibold max-md:hidden md:mb-3 md:justify-center lg:justify-start lg:px-3">
          <Mark />
          <span className="max-lg:sr-only">{import.meta.env.APP_NAME}</span>
        </div>
        {organisation && <div className="mb-3 max-md:hidden">{organisation}</div>}
        <nav
          aria-label="Main"
          className="max-md:col-span-3 max-md:grid max-md:grid-cols-3 md:flex md:min-h-0 md:flex-col md:gap-0.5 md:overflow-y-auto"
        >
          {items.map(({ to, label, icon, group }, index) => (
            <Fragment key={to}>
              {group !== undefined && group !== items[index - 1]?.group && (
                <p className="mt-4 mb-1 px-3 text-xs text-muted max-md:hidden md:max-lg:mx-2 md:max-lg:h-px md:max-lg:overflow-hidden md:max-lg:bg-border md:max-lg:text-transparent">
                  {group}
                </p>
              )}
              <Anchor to={to} className={`${item} ${barItem} ${index >= MAX_IN_BAR ? 'max-md:hidden' : ''}`}>
                <Icon name={icon} className="max-md:size-5" />
                <span className="md:max-lg:sr-only">{label}</span>
              </Anchor>
            </Fragment>
          ))}
        </nav>
        <div className="flex max-md:items-stretch md:mt-auto md:items-center md:flex-col md:gap-1 md:pt-2 lg:items-stretch">
          {user && <div className="max-md:hidden">{user}</div>}
          {tools}
        </div>
        <More className={`${item} ${barItem}`}>
          {organisation}
          {items.slice(MAX_IN_BAR).map(({ to, label, icon }) => (
            <Anchor key={to} to={to} className={`${item} min-h-11 gap-3 px-3`}>
              <Icon name={icon} />
              {label}
            </Anchor>
          ))}
          {user}
        </More>
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 pb-(--bottom)">
        {children}
      </main>
      {overlays}
    </div>
  );
}

/** The logo, the same as `public/favicon.svg`. */
function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" className="size-5.5 shrink-0" aria-hidden="true">
      <rect width="32" height="32" rx="7" className="fill-accent" />
      <path
        d="M9 23 23 9M13 9h10v10"
        fill="none"
        className="stroke-on-accent"
        strokeWidth="3"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
