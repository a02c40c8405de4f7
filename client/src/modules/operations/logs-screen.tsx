import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { memo, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { LogLevel, LogLine } from '#contracts/operations/log.ts';
import { Button, buttonVariants } from '@/kit/components/button.tsx';
import { Code } from '@/kit/components/code.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { type State, StateMark } from '@/kit/components/state-badge.tsx';
import { clock, count, milliseconds, moment } from '@/kit/lib/format.ts';
import { inputClass } from '@/kit/lib/styles.ts';
import { useDebounced } from '@/kit/lib/use-debounced.ts';
import { keeping, shortId } from './components.tsx';
import { useLive } from './live.ts';
import { logsQuery } from './operations-queries.ts';
import { LEVELS } from './operations-search.ts';

/** A search starts this long after the last key, in milliseconds. */
const SEARCH_AFTER_MS = 250;
/** The list follows new lines while it is scrolled to within so many pixels of its end. */
const AT_END_PX = 24;

/** Levels that need attention have a shape as well as a word. */
const MARKS: Partial<Record<LogLevel, State>> = {
  warn: 'degraded',
  error: 'failing',
  fatal: 'failing',
};

/** Whether a line matches as on the server: anywhere in it, case-insensitively. */
const holds = (line: LogLine, search: string) =>
  `${line.message} ${JSON.stringify(line.fields)} ${line.requestId ?? ''}`
    .toLowerCase()
    .includes(search.toLowerCase());

/** The lines to show: those that the server found, and matching ones since. */
function useLines() {
  const { level = 'info', search, requestId } = useSearch({ strict: false });
  const { lines: live, instance } = useLive((all) => all);
  const { data, error, isPlaceholderData } = useQuery(logsQuery(level, search, requestId));
  if (search === undefined && requestId === undefined) return { lines: live, error: null, isComplete: true };
  const found = data && (instance === undefined || data.instance === instance) ? data.lines : [];
  const last = found.at(-1)?.seq ?? 0;
  const since = live.filter(
    (line) =>
      line.seq > last &&
      (search === undefined || holds(line, search)) &&
      (requestId === undefined || line.requestId === requestId),
  );
  return { lines: [...found, ...since], error, isComplete: data !== undefined && !isPlaceholderData };
}

/** While they are held, the same lines, so that a line can be pressed. Another search ends that. */
function useHeld(lines: LogLine[], isComplete: boolean) {
  const { search, requestId, level } = useSearch({ strict: false });
  const of = `${level} ${requestId} ${search}`;
  const [held, setHeld] = useState<{ of: string; lines: LogLine[] }>();
  const shown = held?.of === of ? held.lines : lines;
  return {
    shown,
    newer: shown === lines ? 0 : lines.filter(({ seq }) => seq > (shown.at(-1)?.seq ?? 0)).length,
    hold: () => isComplete && setHeld((before) => (before?.of === of ? before : { of, lines })),
    release: () => setHeld(undefined),
  };
}

/** The end of the log as it is written. */
export function LogsScreen(): ReactNode {
  const { search, requestId, level = 'info', paused } = useSearch({ strict: false });
  const missed = useLive((live) => live.missed);
  const { lines, error, isComplete } = useLines();
  const held = useHeld(lines, isComplete);
  const [open, setOpen] = useState<LogLine>();
  return (
    <div className="mt-5 flex h-[calc(var(--screen)-12rem)] min-h-80 flex-col md:h-[calc(var(--screen)-9.5rem)]">
      <Filters />
      {error && <ErrorNote error={error} />}
      <Tail held={held} onOpen={setOpen}>
        {search || requestId ? (
          <Empty icon="search" title="No recent log lines match">
            <p>
              The last 1,000 lines are searched. Older ones are where your log goes: standard output, or
              LOG_FILE.
            </p>
          </Empty>
        ) : (
          <Empty icon="note" title="No log lines yet">
            <p>Lines of level {level} and above appear here as they are written.</p>
          </Empty>
        )}
      </Tail>
      <p
        role="status"
        className="mt-2 flex h-5 shrink-0 gap-3 overflow-hidden text-sm whitespace-nowrap text-muted"
      >
        <span className="tabular-nums">{count(held.shown.length, 'line')}</span>
        {paused && <span>Paused. Resume to see newer lines.</span>}
        {held.newer > 0 && (
          <span className="tabular-nums">{`${count(held.newer, 'newer line')}, shown when you leave the list`}</span>
        )}
        {missed > 0 && <span>{`${count(missed, 'line')} skipped: they came too fast`}</span>}
      </p>
      <Dialog open={open !== undefined} onOpenChange={() => setOpen(undefined)}>
        <DialogContent title={open ? `${open.level} at ${moment(open.time)}` : ''}>
          {open && <Details line={open} onClose={() => setOpen(undefined)} />}
        </DialogContent>
      </Dialog>
    </div>
  );
}

function Filters() {
  const { search = '', requestId, level = 'info' } = useSearch({ strict: false });
  const navigate = useNavigate();
  const [text, setText] = useState(search);
  const settled = useDebounced(text.trim(), SEARCH_AFTER_MS);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed starts a search, not the address it leads to
  useEffect(() => {
    if (settled === search) return;
    navigate({ to: '.', search: (before) => ({ ...before, search: settled || undefined }), replace: true });
  }, [settled]);
  return (
    <div className="mb-3 flex flex-wrap items-center gap-2">
      <input
        type="search"
        aria-label="Filter lines"
        placeholder="Filter"
        maxLength={200}
        value={text}
        onChange={({ target }) => setText(target.value)}
        className={`${inputClass} max-w-72 max-md:max-w-none max-md:grow max-md:basis-40`}
      />
      <Choice
        label="Level"
        hidden
        value={level}
        onChange={({ target }) =>
          navigate({
            to: '.',
            search: (before) => ({ ...before, level: target.value as LogLevel }),
            replace: true,
          })
        }
      >
        {LEVELS.map((one) => (
          <option key={one} value={one}>
            {one} and above
          </option>
        ))}
      </Choice>
      {requestId && (
        <Button
          variant="outline"
          icon="close"
          onClick={() => navigate({ to: '.', search: (before) => ({ ...before, requestId: undefined }) })}
          className="max-w-full"
        >
          <span className="truncate">
            Request <code className="font-mono text-xs">{requestId}</code>
          </span>
        </Button>
      )}
    </div>
  );
}

/** The list. Scrolled to its end it follows new lines; under a pointer or the focus it stands still. */
function Tail({
  held: { shown: lines, hold, release },
  onOpen,
  children,
}: {
  held: ReturnType<typeof useHeld>;
  onOpen: (line: LogLine) => void;
  children: ReactNode;
}) {
  const scroller = useRef<HTMLElement>(null);
  const follows = useRef(true);
  const [isAway, setAway] = useState(false);
  const end = lines.at(-1)?.seq;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it follows the last line
  useLayoutEffect(() => {
    if (follows.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [end]);
  return (
    <div className="relative min-h-0 grow">
      <section
        ref={scroller}
        aria-label="Log"
        onPointerMove={hold}
        onPointerLeave={({ currentTarget }) => {
          if (!currentTarget.contains(document.activeElement)) release();
        }}
        onFocus={({ target, currentTarget }) => target !== currentTarget && hold()}
        onBlur={({ currentTarget, relatedTarget }) => {
          if (!currentTarget.contains(relatedTarget)) release();
        }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          follows.current = scrollTop + clientHeight >= scrollHeight - AT_END_PX;
          setAway(!follows.current);
        }}
        className="h-full overflow-x-hidden overflow-y-auto rounded-md border bg-surface"
      >
        {lines.length === 0 ? (
          children
        ) : (
          <ol className="py-1">
            {lines.map((line) => (
              <Line key={line.seq} line={line} onOpen={onOpen} />
            ))}
          </ol>
        )}
      </section>
      {isAway && (
        <Button
          className="absolute right-4 bottom-3"
          onClick={() => scroller.current?.scrollTo({ top: scroller.current.scrollHeight })}
        >
          Latest
        </Button>
      )}
    </div>
  );
}

const Line = memo(function Line({ line, onOpen }: { line: LogLine; onOpen: (line: LogLine) => void }) {
  const { time, level, requestId } = line;
  const { status, message, rest } = splitLine(line);
  const failed = status !== undefined && status >= 500;
  const mark = failed ? 'failing' : MARKS[level];
  return (
    <li className="[contain-intrinsic-size:auto_28px] [content-visibility:auto]">
      <button
        type="button"
        onClick={() => onOpen(line)}
        className="grid min-h-7 w-full grid-cols-[4.5rem_4rem_minmax(0,1fr)] items-center gap-x-3 px-3 text-left font-mono text-xs -outline-offset-2 hover:bg-hover max-md:min-h-12 max-md:grid-cols-[4.5rem_minmax(0,1fr)] md:grid-cols-[4.5rem_4rem_minmax(0,1fr)_8rem] pointer-coarse:min-h-11"
      >
        <span className="text-muted tabular-nums">{clock(time)}</span>
        <span className="flex items-center gap-1.5">
          {mark && <StateMark state={mark} />}
          {level}
        </span>
        <span className="truncate max-md:col-span-2">
          {status !== undefined && (
            <span className={failed ? 'text-failing' : status >= 400 ? 'text-degraded' : 'text-ready'}>
              {status}{' '}
            </span>
          )}
          <span className={mark === 'failing' ? 'text-failing' : ''}>{message}</span>
          {rest && <span className="text-muted"> {rest}</span>}
        </span>
        <span className="text-right text-muted max-md:hidden">{requestId && shortId(requestId)}</span>
      </button>
    </li>
  );
});

/** A line as shown: of a request, what was asked and answered; of an error, its message; other fields as `ip=10.0.0.1`. */
function splitLine({ message, fields }: Pick<LogLine, 'message' | 'fields'>) {
  const { method, path, route: _, status, durationMs, err, ...others } = fields;
  const isRequest = message === 'request' && method !== undefined;
  const cause = typeof err === 'string' ? err : (err as { message?: string } | undefined)?.message;
  const rest = Object.entries(isRequest ? others : { ...fields, err: undefined })
    .filter(([, value]) => value !== undefined && (value === null || typeof value !== 'object'))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  if (isRequest)
    return {
      status: Number(status),
      message: `${method} ${path} ${milliseconds(Number(durationMs))}`,
      rest,
    };
  return { message: [message, cause].filter(Boolean).join(': '), rest };
}

function Details({ line, onClose }: { line: LogLine; onClose: () => void }) {
  const { message, requestId, fields } = line;
  const err = fields.err as { stack?: string } | undefined;
  return (
    <>
      <p className="wrap-anywhere">{message}</p>
      <Code
        label="Fields"
        text={`${err?.stack ? `${err.stack}\n\n` : ''}${JSON.stringify(fields, null, 2)}`}
        copied={JSON.stringify(line)}
      />
      {requestId && (
        <div className="mt-4 flex justify-end">
          <Link
            to="/ops/logs"
            search={keeping({ requestId, level: 'trace' })}
            onClick={onClose}
            className={buttonVariants()}
          >
            All lines of this request
          </Link>
        </div>
      )}
    </>
  );
}
