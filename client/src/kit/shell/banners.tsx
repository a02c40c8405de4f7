import { type ReactNode, useEffect, useState } from 'react';
import { Button } from '@/kit/components/button.tsx';
import { Icon, type IconName } from '@/kit/components/icon.tsx';
import { useConnection } from '@/kit/lib/connection.ts';
import { useNewVersion } from '@/kit/lib/deployment.ts';
import { asSentence } from '@/kit/lib/format.ts';

/** How long "Connected again" is shown, in milliseconds. */
const GOOD_NEWS_MS = 2_500;

type Props = { icon: IconName; tone: string; action?: ReactNode; children: ReactNode };

function Banner({ icon, tone, action, children }: Props) {
  return (
    <div
      data-banner
      className="rise flex h-(--banner) items-center justify-center gap-3 border-t bg-surface px-4 text-sm leading-tight"
    >
      <Icon name={icon} className={`size-4 ${tone}`} />
      <p>{children}</p>
      {action}
    </div>
  );
}

/**
 * The most urgent message about the connection, the server or a new version, in a strip below the screen. `--bottom` of the
 * theme grows by it, so that everything can be scrolled above it, and nothing shifts.
 */
export function Banners() {
  const { reachable, status } = useConnection();
  const outdated = useNewVersion();
  const [wasAway, setWasAway] = useState(false);
  useEffect(() => {
    if (!reachable) setWasAway(true);
    else if (wasAway) {
      const timer = setTimeout(() => setWasAway(false), GOOD_NEWS_MS);
      return () => clearTimeout(timer);
    }
  }, [reachable, wasAway]);

  const banner = !reachable ? (
    <Banner key="away" icon="offline" tone="text-failing">
      {navigator.onLine ? 'The server cannot be reached.' : 'You are offline.'} Trying again; what you typed
      stays here.
    </Banner>
  ) : wasAway ? (
    <Banner key="back" icon="check" tone="text-ready">
      Connected again.
    </Banner>
  ) : status?.problem ? (
    <Banner key="problem" icon="alert" tone="text-failing">
      {asSentence(status.problem)}
    </Banner>
  ) : (
    outdated && (
      <Banner
        key="outdated"
        icon="arrowRight"
        tone="text-accent"
        action={<Button onClick={() => location.reload()}>Reload</Button>}
      >
        A new version is ready.
      </Banner>
    )
  );
  return (
    <div role="status" className="fixed inset-x-0 bottom-(--bar) z-10 md:left-[56px] lg:left-[224px]">
      {banner}
    </div>
  );
}
