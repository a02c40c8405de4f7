import { CSPProvider } from '@base-ui/react/csp-provider';
import { Link, Outlet, useRouter, useRouterState } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Toasts } from '@/kit/components/toast.tsx';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { useOperatorOfStatus } from '@/kit/operator/operator.ts';
import { Banners } from './banners.tsx';
import { Breadcrumbs } from './breadcrumbs.tsx';
import { Frame } from './frame.tsx';
import { navigationOf, placeOf } from './navigation.ts';
import { Palette } from './palette.tsx';
import { Tools } from './tools.tsx';
import { useVisitor } from './visitor.ts';

function NavLink({ to, ...rest }: { to: string; className: string; children: ReactNode }) {
  const router = useRouter();
  const visitor = useVisitor();
  // Of `/ops` and `/ops/jobs` the longer one is where the visitor is.
  const isBelow = useRouterState({
    select: ({ location }) =>
      navigationOf(router, visitor).some(
        (item) => item.to.startsWith(`${to}/`) && location.pathname.startsWith(item.to),
      ),
  });
  return <Link to={to} activeOptions={{ exact: to === '/' || isBelow, includeSearch: false }} {...rest} />;
}

/** Moves the focus to a newly opened screen: to the element with `data-focus`, by default its heading. */
function useFocusOnNavigation() {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const previous = useRef(path);
  useEffect(() => {
    if (path === previous.current) return;
    const isFirst = previous.current === undefined;
    previous.current = path;
    if (isFirst || document.activeElement?.matches('main input, main textarea')) return;
    const targets = [...document.querySelectorAll<HTMLElement>('main [data-focus]')];
    const target = targets.findLast((element) => element.checkVisibility({ visibilityProperty: true }));
    (target ?? document.getElementById('main'))?.focus({ preventScroll: true });
  }, [path]);
}

/** A progress line at the top while a screen is loading. */
function Progress() {
  const isPending = useRouterState({ select: (state) => state.status === 'pending' });
  if (!isPending) return null;
  return (
    <div
      role="progressbar"
      aria-label="Loading"
      className="appear-late fixed inset-x-0 top-0 z-30 h-0.5 overflow-hidden"
    >
      <div className="slide h-full w-1/4 bg-accent" />
    </div>
  );
}

/** The frame around every screen. */
export function Shell() {
  const router = useRouter();
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const visitor = useVisitor();
  const Organisation = placeOf(router, 'organisation');
  const User = placeOf(router, 'user');
  const Overlay = placeOf(router, 'overlay');
  useFocusOnNavigation();
  useOperatorOfStatus();
  // Not loaded lazily: keys typed while it loads would reach the screen behind it.
  const openPalette = () => setPaletteOpen(true);
  useShortcut('mod+k', openPalette, !isPaletteOpen);

  return (
    // Base UI would add <style> elements, which the policy forbids.
    <CSPProvider disableStyleElements>
      <Frame
        items={navigationOf(router, visitor)}
        Anchor={NavLink}
        organisation={Organisation && <Organisation />}
        user={User && <User />}
        tools={<Tools onSearch={openPalette} />}
        overlays={
          <>
            <Progress />
            <Banners />
            <Toasts />
            {Overlay && <Overlay />}
            {isPaletteOpen && <Palette onClose={() => setPaletteOpen(false)} />}
          </>
        }
      >
        <Breadcrumbs />
        <Outlet />
      </Frame>
    </CSPProvider>
  );
}
