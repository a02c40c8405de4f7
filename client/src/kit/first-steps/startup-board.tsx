import type { CSSProperties } from 'react';
import type { StartupStep } from '#contracts/status.ts';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { type State, StateMark } from '@/kit/components/state-badge.tsx';
import type { Connection } from '@/kit/lib/connection.ts';
import { duration } from '@/kit/lib/format.ts';

/** Labels of steps, while running and when done. Other steps are shown by their name. */
const WORDS: Record<string, { running: string; done: string }> = {
  port: { running: 'Opening the port', done: 'Port open' },
  configuration: { running: 'Checking the configuration', done: 'Configuration checked' },
  application: { running: 'Loading the application', done: 'Application loaded' },
  database: { running: 'Reaching the database', done: 'Database reached' },
  migrations: { running: 'Applying migrations', done: 'Migrations' },
};

const nameOf = ({ step, status }: StartupStep) => {
  const words = WORDS[step];
  if (!words) return step.replace(/^./, (first) => first.toUpperCase());
  return status === 'done' ? words.done : words.running;
};

const MARKS: Record<StartupStep['status'], State> = {
  pending: 'waiting',
  running: 'waiting',
  done: 'ready',
  failed: 'failing',
};
const STATUS_WORDS: Record<StartupStep['status'], string> = {
  pending: 'pending',
  running: 'running',
  done: 'done',
  failed: 'failed',
};

const endOf = ({ startedAtMs, durationMs }: StartupStep) => (startedAtMs ?? 0) + (durationMs ?? 0);

/** Milliseconds from the beginning of the process to the end of its last step of start-up. */
export const readyAfterMs = (steps: StartupStep[]) => Math.max(0, ...steps.map(endOf));

/** The usual number of rows: the steps of the server's start-up, and "ready". */
const ROWS = 6;
const ROW =
  'grid grid-cols-[1rem_minmax(0,1fr)_4.5rem] grid-rows-[2rem_0.75rem] items-center gap-x-3 px-4 md:h-10 md:grid-cols-[1rem_14rem_minmax(0,1fr)_5rem] md:grid-rows-1 md:px-5';

/** Bars grow as fast as the start was, but over no more than this, in milliseconds. */
const MAX_REPLAY_MS = 1_200;

/** The steps of start-up, one per row, with times since the process started; live while it starts. */
export function StartupBoard({ connection: { reachable, status } }: { connection: Connection }) {
  const steps = status?.startup ?? [];
  const total = readyAfterMs(steps);
  // While a step is under way, the axis ends a little later than it began.
  const running = steps.find(({ status: how }) => how === 'running')?.startedAtMs ?? 0;
  const axis = Math.max(total, running * 1.25);
  const isReady = reachable && status?.state === 'ready' && !status.problem;
  const last: State = isReady
    ? 'ready'
    : !reachable || status?.problem
      ? 'failing'
      : status?.state === 'draining'
        ? 'draining'
        : 'waiting';
  const lastWord = {
    ready: 'Ready',
    failing: reachable ? 'Not ready' : 'Unreachable',
    draining: 'Draining',
    waiting: 'Ready',
    degraded: 'Ready',
  }[last];

  if (!status) {
    return (
      <div className="rounded-lg border bg-surface py-2" aria-busy="true">
        {Array.from({ length: ROWS }, (_, row) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
          <div key={row} className={ROW}>
            <Skeleton className="size-3 rounded-full" />
            <Skeleton className="h-3 w-36" />
          </div>
        ))}
      </div>
    );
  }

  return (
    <ol className="rounded-lg border bg-surface py-2">
      {steps.map((step) => (
        <li key={step.step} className={ROW}>
          <StateMark state={MARKS[step.status]} />
          <p className={`truncate text-sm ${step.status === 'pending' ? 'text-muted' : ''}`}>
            {nameOf(step)}
            <span className="sr-only">, {STATUS_WORDS[step.status]}</span>
            {step.note && <span className="ml-2 text-muted">{step.note}</span>}
          </p>
          <Bar step={step} total={axis} />
          {/* Another number is another element: flush right, a wider one would count as moved. */}
          <p key={step.durationMs} className="text-right font-mono text-xs text-muted tabular-nums">
            {step.durationMs !== undefined && duration(step.durationMs)}
          </p>
        </li>
      ))}
      <li className={`${ROW} font-medium`}>
        <StateMark state={last} />
        <p className={`text-sm ${last === 'waiting' ? 'text-muted' : ''}`}>
          {lastWord}
          {last === 'waiting' && <span className="sr-only">, not yet</span>}
        </p>
        <span className={BAR} />
        <p key={total} className="text-right font-mono text-xs tabular-nums">
          {isReady && duration(total)}
        </p>
      </li>
    </ol>
  );
}

/**
 * When the step ran, on the one time axis that all share. Cut out of a full line, so that a growing axis moves no
 * element. A step that is done grows when it appears; one that is under way reaches to the end of the axis.
 */
function Bar({ step: { startedAtMs, durationMs, status }, total }: { step: StartupStep; total: number }) {
  if (startedAtMs === null || total <= 0) return <span className={BAR} />;
  const isRunning = durationMs === undefined;
  const left = Math.min(99.3, (100 * startedAtMs) / total);
  const right = isRunning ? 0 : Math.min(99.3 - left, 100 - (100 * (startedAtMs + durationMs)) / total);
  const pace = Math.min(1, MAX_REPLAY_MS / total);
  return (
    <div
      aria-hidden="true"
      className={`${BAR} transition-[clip-path] ${isRunning ? 'pulse' : 'motion-safe:grow'} ${status === 'failed' ? 'bg-failing' : 'bg-accent'}`}
      style={
        {
          clipPath: `inset(0 ${right}% 0 ${left}% round 3px)`,
          '--from': `${left}%`,
          ...(isRunning
            ? {}
            : { animationDelay: `${startedAtMs * pace}ms`, animationDuration: `${durationMs * pace}ms` }),
        } as CSSProperties
      }
    />
  );
}

/** On phones under the words, elsewhere beside them. */
const BAR = 'h-1 max-md:col-span-2 max-md:col-start-2 max-md:row-start-2 max-md:self-start md:h-1.5';
