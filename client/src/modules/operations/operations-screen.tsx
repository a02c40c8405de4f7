import { useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useMatches, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useEffectEvent, useRef } from 'react';
import { Button } from '@/kit/components/button.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { useConnection } from '@/kit/lib/connection.ts';
import { clock } from '@/kit/lib/format.ts';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { cn } from '@/kit/lib/styles.ts';
import { OperatorsOnly } from '@/kit/operator/operators-only.tsx';
import { sessionQuery } from '@/kit/operator/session.ts';
import { keeping } from './components.tsx';
import { connect, forget, standStill, useLive } from './live.ts';
import { WINDOWS } from './operations-search.ts';
import { loud } from './sentence.ts';
import { TABS } from './texts.ts';

/** Operations: the server's state, for its operators. Each view has an address. */
export const OperationsScreen = withServerData(function OperationsScreen() {
  return (
    <OperatorsOnly title="Operations" about="The state of this server, for its operators.">
      <SignedIn />
    </OperatorsOnly>
  );
});

function SignedIn() {
  // The address changes before the next screen has loaded. The matches are of the screen that is shown.
  const path = useMatches({ select: (matches) => matches.at(-1)?.fullPath });
  const tab = TABS.find(({ to }) => to === path) ?? TABS[0];
  const { window = '15m', paused } = useSearch({ strict: false });
  const navigate = useNavigate();
  const tabs = useRef<HTMLElement>(null);
  useWatch(tab.to === '/ops/logs');
  // biome-ignore lint/correctness/useExhaustiveDependencies: another view is another tab to show
  useEffect(() => {
    tabs.current
      ?.querySelector('[aria-current=page]')
      ?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [path]);

  const pause = () =>
    navigate({
      to: '.',
      search: (before) => ({ ...before, paused: paused ? undefined : true }),
      replace: true,
    });
  useShortcut('p', pause);

  return (
    <div className="mx-auto max-w-screen-2xl px-4 py-6 md:px-8">
      <div
        className={cn(
          'flex min-h-11 items-center justify-between gap-x-6 gap-y-2',
          'hasWindow' in tab && 'max-md:flex-col max-md:items-stretch',
        )}
      >
        <div className="flex min-w-0 items-center gap-4">
          <ScreenHeading title={'title' in tab ? tab.title : tab.label} className="text-lg" />
          <Source />
        </div>
        <div className="flex shrink-0 items-center gap-2">
          {'hasWindow' in tab && (
            <fieldset className="flex rounded-md border bg-surface">
              <legend className="sr-only">Time range</legend>
              {WINDOWS.map((one) => (
                <button
                  key={one}
                  type="button"
                  aria-pressed={one === window}
                  onClick={() =>
                    navigate({ to: '.', search: (before) => ({ ...before, window: one }), replace: true })
                  }
                  className="min-h-8.5 rounded-md px-2.5 text-sm text-muted transition-colors hover:text-text aria-pressed:bg-hover aria-pressed:font-medium aria-pressed:text-text pointer-coarse:min-h-10.5 max-md:min-h-10.5 max-md:min-w-11"
                >
                  {WORDS[one]}
                </button>
              ))}
            </fieldset>
          )}
          {'isLive' in tab && (
            <Button
              variant="outline"
              icon={paused ? 'play' : 'pause'}
              aria-keyshortcuts="p"
              title="P"
              onClick={pause}
              className="w-26"
            >
              {paused ? 'Resume' : 'Pause'}
            </Button>
          )}
        </div>
      </div>
      <nav ref={tabs} aria-label="Operations" className="mt-2 flex gap-7 overflow-x-auto border-b">
        {TABS.map(({ to, label }) => (
          <Link
            key={to}
            to={to}
            search={keeping()}
            activeOptions={{ exact: true, includeSearch: false }}
            className="relative -mb-px flex min-h-10 items-center border-b-2 border-transparent text-sm whitespace-nowrap text-muted -outline-offset-2 transition-colors hover:text-text aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-text pointer-coarse:min-h-11 max-md:min-h-11"
          >
            {label}
            {label === 'Alerts' && <AlertCount />}
          </Link>
        ))}
      </nav>
      <Outlet />
    </div>
  );
}

const WORDS = { '5m': '5 min', '15m': '15 min', '1h': '1 h' };

/** Keeps the screen current while it is visible. */
function useWatch(wantsLog: boolean) {
  const { window = '15m', paused, level = 'info' } = useSearch({ strict: false });
  const client = useQueryClient();
  const onRefused = useEffectEvent(() => client.invalidateQueries({ queryKey: sessionQuery.queryKey }));
  const log = wantsLog ? level : undefined;
  useEffect(() => {
    if (paused) return standStill();
    return connect({ window, level: log, onRefused: () => onRefused() });
  }, [window, log, paused]);
  // What was shown belongs to the operator who was signed in.
  useEffect(() => forget, []);
}

/** The number of alerts to act on, in the gap before the next tab. */
function AlertCount() {
  const count = useLive(({ alerts }) => loud(alerts).length);
  if (count === 0) return null;
  return (
    <span className="absolute left-full ml-1 min-w-4 rounded-full bg-failing text-center text-xs text-background">
      {count}
      <span className="sr-only"> firing</span>
    </span>
  );
}

/** The process that is watched, and how its figures arrive. */
function Source() {
  const { mode, heardAt, instance } = useLive((live) => live);
  const [state, word] = {
    connecting: ['waiting', 'Connecting'] as const,
    stream: ['ready', 'Live'] as const,
    polling: ['degraded', 'Every 5 s'] as const,
    still: ['waiting', 'Paused'] as const,
  }[mode];
  const { reachable } = useConnection();
  const isLate = mode !== 'still' && !reachable;
  // What changes comes last, in reserved space: nothing is behind it that would move, and the name before it keeps its width.
  return (
    <p role="status" className="flex min-w-0 items-center gap-3 text-sm">
      {instance && <span className="truncate font-mono text-xs text-muted">{instance}</span>}
      <span key={instance} className="min-w-24 shrink-0 whitespace-nowrap">
        <StateBadge state={isLate ? 'failing' : state}>{isLate ? 'No answer' : word}</StateBadge>
        {(mode === 'still' || isLate) && heardAt !== undefined && (
          <span className="ml-2 text-xs text-muted tabular-nums max-sm:hidden">{clock(heardAt)}</span>
        )}
      </span>
    </p>
  );
}
