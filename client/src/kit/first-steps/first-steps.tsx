import type { ReactNode } from 'react';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { type Connection, useConnection } from '@/kit/lib/connection.ts';
import { asSentence, duration } from '@/kit/lib/format.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { readyAfterMs, StartupBoard } from './startup-board.tsx';
import { firstSteps, LINKS, type Step, stripCommand } from './steps.ts';

const PARTS = import.meta.env.PARTS;

function sentence({ reachable, status }: Connection) {
  if (!reachable) return 'The server cannot be reached. Trying again every second.';
  if (!status) return 'Waiting for the server.';
  if (status.problem) return asSentence(status.problem);
  if (status.state === 'ready')
    return `Ready in ${duration(readyAfterMs(status.startup))}. Version ${status.version}.`;
  if (status.state === 'starting' || status.state === 'migrating')
    return 'Starting. Requests are held until it is ready.';
  return 'Shutting down. Requests in flight are completed first.';
}

/** The home screen in development: the start of this server, live, and what to do with a fresh clone. */
export function FirstSteps() {
  const connection = useConnection();
  const { isOperatorInPerson } = useVisitor();
  return (
    <div className="mx-auto max-w-6xl px-4 py-8 md:px-8 md:py-12">
      <ScreenHeading title={import.meta.env.APP_NAME} className="text-2xl" />
      <p className="mt-1 min-h-12 max-w-prose text-muted md:min-h-6">{sentence(connection)}</p>

      <Section title="Start-up" className="mt-6">
        <StartupBoard connection={connection} />
      </Section>

      <div className="mt-10 grid grid-cols-1 gap-x-8 gap-y-10 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Section title="What to do next">
          <ol className="divide-y rounded-lg border bg-surface">
            {firstSteps(PARTS).map(({ doneForOperators, ...step }, index) => (
              <StepRow
                key={step.title}
                number={index + 1}
                isDone={Boolean(doneForOperators && isOperatorInPerson)}
                {...step}
              />
            ))}
          </ol>
        </Section>
        <div className="space-y-10">
          {PARTS.length > 0 && (
            <Section title="Parts">
              <ul className="divide-y rounded-lg border bg-surface">
                {PARTS.map(({ name, for: purpose }) => (
                  <li key={name} className="px-5 py-4">
                    <h3 className="font-mono text-sm font-medium">{name}</h3>
                    <p className="mt-0.5 text-sm text-muted">{asSentence(purpose)}</p>
                    <Command text={stripCommand(name, PARTS)} />
                  </li>
                ))}
              </ul>
            </Section>
          )}
          <Section title="Look inside">
            <ul className="divide-y overflow-hidden rounded-lg border bg-surface">
              {LINKS.map(({ label, href }) => (
                <li key={href}>
                  <a
                    href={href}
                    className="focus-inset flex min-h-11 items-center gap-3 px-5 text-sm transition-colors hover:bg-hover"
                  >
                    <span className="grow">{label}</span>
                    <code className="font-mono text-xs text-muted">{href}</code>
                    <Icon name="arrowRight" className="size-3.5 text-muted" />
                  </a>
                </li>
              ))}
            </ul>
          </Section>
        </div>
      </div>
      <p className="mt-10 text-sm text-muted">This page is shown in development only.</p>
    </div>
  );
}

const Section = ({
  title,
  className,
  children,
}: {
  title: string;
  className?: string;
  children: ReactNode;
}) => (
  <section aria-label={title} className={className}>
    <h2 className="mb-3 text-base">{title}</h2>
    {children}
  </section>
);

const StepRow = ({
  number,
  isDone,
  title,
  text,
  commands = [],
}: Step & { number: number; isDone: boolean }) => (
  <li className="grid grid-cols-[1.5rem_minmax(0,1fr)] gap-x-3 px-5 py-4">
    <span
      aria-hidden="true"
      className="mt-px flex size-6 items-center justify-center rounded-full bg-hover text-xs font-medium tabular-nums"
    >
      {isDone ? <Icon name="check" className="size-3.5 text-ready" /> : number}
    </span>
    <div>
      <h3 className="text-base">
        {isDone && <span className="sr-only">Done: </span>}
        {title}
      </h3>
      <p className="mt-0.5 text-sm text-muted">
        {text.split('`').map((part, index) =>
          index % 2 === 1 ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: the text is constant
            <code key={index} className="font-mono text-xs text-text wrap-anywhere">
              {part}
            </code>
          ) : (
            part
          ),
        )}
      </p>
      {commands.map((command) => (
        <Command key={command} text={command} />
      ))}
    </div>
  </li>
);

const Command = ({ text }: { text: string }) => (
  <div className="mt-2 flex items-start gap-1 rounded-md border bg-background pl-3">
    <code className="grow py-1.5 font-mono text-xs leading-5 wrap-anywhere max-md:py-3 pointer-coarse:py-3">
      {text}
    </code>
    <CopyButton text={text} label={`Copy: ${text}`} />
  </div>
);
