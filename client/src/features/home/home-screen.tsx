import { useRouter } from '@tanstack/react-router';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { type Connection, useConnection } from '@/kit/lib/connection.ts';
import { asSentence, duration } from '@/kit/lib/format.ts';
import { CARDS, type Line } from './cards.ts';
import { readyAfterMs, StartupBoard } from './startup-board.tsx';

/** The first sentence of the screen, as a colleague would say it. */
function sentence({ reachable, status }: Connection) {
  if (!reachable) return 'The server cannot be reached. This page tries again every second.';
  if (!status) return 'Asking the server how it is.';
  if (status.problem) return asSentence(status.problem);
  if (status.state === 'ready')
    return `Ready in ${duration(readyAfterMs(status.startup))}. Version ${status.version}.`;
  if (status.state === 'starting' || status.state === 'migrating')
    return 'Starting. Requests that come now are held until it is ready.';
  return 'Shutting down. Requests under way are finished first.';
}

/** Home: the server's start-up, live, and next steps. */
export function HomeScreen() {
  const router = useRouter();
  const connection = useConnection();
  return (
    <div className="mx-auto max-w-5xl px-4 py-8 md:px-8 md:py-12">
      <ScreenHeading title={import.meta.env.APP_NAME} className="text-2xl" />
      <p className="mt-1 min-h-12 max-w-prose text-muted md:min-h-6">{sentence(connection)}</p>

      <section aria-labelledby="startup" className="mt-6">
        <h2 id="startup" className="mb-3 text-sm text-muted">
          Start-up
        </h2>
        <StartupBoard connection={connection} />
      </section>

      <div className="mt-8 grid grid-cols-1 gap-4 lg:grid-cols-3">
        {CARDS.map(({ title, lines }) => (
          <section key={title} aria-label={title} className="rounded-lg border bg-surface p-5">
            <h2 className="text-base">{title}</h2>
            <ul className="mt-3 space-y-3">
              {lines
                .filter(({ whileRoute }) => whileRoute === undefined || whileRoute in router.routesByPath)
                .map((line) => (
                  <CardLine key={line.label} {...line} />
                ))}
            </ul>
          </section>
        ))}
      </div>
    </div>
  );
}

function CardLine({ label, command, href }: Line) {
  return (
    <li>
      <p className="text-sm text-muted">{label}</p>
      {command && (
        <div className="mt-1 flex items-start gap-1 rounded-md border bg-background pl-3">
          <code className="grow py-1.5 font-mono text-xs leading-5 wrap-anywhere max-md:py-3 pointer-coarse:py-3">
            {command}
          </code>
          <CopyButton text={command} label={`Copy: ${command}`} />
        </div>
      )}
      {href && (
        <a
          href={href}
          className="mt-1 flex min-h-8 items-center gap-2 rounded-md border bg-background px-3 font-mono text-xs transition-colors hover:bg-hover max-md:min-h-11 pointer-coarse:min-h-11"
        >
          <span className="grow">{href}</span>
          <Icon name="arrowRight" className="size-3.5 text-muted" />
        </a>
      )}
    </li>
  );
}
