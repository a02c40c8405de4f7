import { useRouterState } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { buttonClass } from '@/components/button.tsx';
import { Icon, type IconName } from '@/components/icon.tsx';
import { useConnection } from '@/lib/connection.ts';
import { useNewVersion } from '@/lib/deployment.ts';

/** How long "Connected again" is shown, in milliseconds. */
const GOOD_NEWS_MS = 2_500;

function Banner({ icon, tone, children }: { icon: IconName; tone: string; children: ReactNode }) {
  return (
    <div className="rise pointer-events-auto flex min-h-11 items-center gap-3 rounded-lg border bg-surface py-1 pr-2 pl-4 text-sm shadow-overlay">
      <Icon name={icon} className={`size-4 ${tone}`} />
      {children}
    </div>
  );
}

/** What concerns every screen, over the page instead of pushing it: the connection, the server's trouble, a new version. */
export function Banners() {
  const { reachable, status } = useConnection();
  const outdated = useNewVersion();
  // The home screen says it larger itself.
  const isHome = useRouterState({ select: ({ location }) => location.pathname === '/' });
  const [wasAway, setWasAway] = useState(false);
  useEffect(() => {
    if (!reachable) setWasAway(true);
    else if (wasAway) {
      const timer = setTimeout(() => setWasAway(false), GOOD_NEWS_MS);
      return () => clearTimeout(timer);
    }
  }, [reachable, wasAway]);

  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-4 top-3 z-20 mx-auto flex w-fit max-w-[calc(100vw-2rem)] flex-col items-center gap-2"
    >
      {!reachable ? (
        <Banner icon="offline" tone="text-failing">
          <p className="pr-2">
            {navigator.onLine ? 'The server cannot be reached.' : 'You are offline.'} Trying again; what you
            typed stays here.
          </p>
        </Banner>
      ) : wasAway ? (
        <Banner icon="check" tone="text-ready">
          <p className="pr-2">Connected again.</p>
        </Banner>
      ) : (
        status?.problem &&
        !isHome && (
          <Banner icon="alert" tone="text-failing">
            <p className="pr-2">{status.problem}</p>
          </Banner>
        )
      )}
      {outdated && (
        <Banner icon="arrowRight" tone="text-accent">
          <p>A new version is ready.</p>
          <button type="button" className={buttonClass('primary')} onClick={() => location.reload()}>
            Reload
          </button>
        </Banner>
      )}
    </div>
  );
}
