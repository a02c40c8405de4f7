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
import { clock } from '@/kit/lib/format.ts';
import { inputClass } from '@/kit/lib/styles.ts';
import { useDebounced } from '@/kit/lib/use-debounced.ts';
import { useLive } from './live.ts';
import { logsQuery } from './operations-queries.ts';
import { LEVELS } from './operations-search.ts';
import { keeping, ShortId } from './pieces.tsx';
import { moment, number } from './units.ts';

/** Debounce of the search, in milliseconds. */
const SEARCH_AFTER_MS = 250;
/** Within this distance of its end, in pixels, the list follows new lines. */
const AT_END_PX = 24;

/** Warnings and errors get a shape. */
const MARKS: Partial<Record<LogLevel, State>> = {
  warn: 'degraded',
  error: 'failing',
  fatal: 'failing',
};

/** Whether a line contains the words, ignoring case, as on the server. */
const holds = (line: LogLine, search: string) =>
  `${line.message} ${JSON.stringify(line.fields)} ${line.requestId ?? ''}`
    .toLowerCase()
    .includes(search.toLowerCase());

/** The lines to show: the server's matches, and newer lines that match. */
function useLines() {
  const { level = 'info', search, requestId } = useSearch({ strict: false });
  const { lines: live, instance } = useLive((all) => all);
  const { data, error } = useQuery(logsQuery(level, search, requestId));
  if (search === undefined && requestId === undefined) return { lines: live, error: null };
  const found = data && (instance === undefined || data.instance === instance) ? data.lines : [];
  const last = found.at(-1)?.seq ?? 0;
  const since = live.filter(
    (line) =>
      line.seq > last &&
      (search === undefined || holds(line, search)) &&
      (requestId === undefined || line.requestId === requestId),
  );
  return { lines: [...found, ...since], error };
}

/** The live log. */
export function LogsScreen(): ReactNode {
  const { search, requestId, level = 'info', paused } = useSearch({ strict: false });
  const missed = useLive((live) => live.missed);
  const { lines, error } = useLines();
  const [open, setOpen] = useState<LogLine>();
  return (
    <div className="mt-5 flex h-[calc(100dvh-15rem)] min-h-80 flex-col md:h-[calc(100dvh-9.5rem)]">
      <Filters />
      {error && <ErrorNote error={error} />}
      <Tail lines={lines} onOpen={setOpen}>
        {search || requestId ? (
          <Empty icon="search" title="No line of the log’s end has this">
            <p>
              The last 1,000 lines are kept. Older ones are where your log goes: standard output, or LOG_FILE.
            </p>
          </Empty>
        ) : (
          <Empty icon="note" title="No lines yet">
            <p>Lines of level {level} and above appear here as they are written.</p>
          </Empty>
        )}
      </Tail>
      <p role="status" className="mt-2 flex h-5 gap-3 truncate text-sm text-muted">
        <span className="tabular-nums">{`${number(lines.length)} lines`}</span>
        {paused && <span>Paused: newer lines come when you resume.</span>}
        {missed > 0 && <span>{`${number(missed)} more came faster than they could be shown.`}</span>}
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: typing starts a search, a changed address does not
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

/** The list. It follows new lines unless the reader has scrolled up. */
function Tail({
  lines,
  onOpen,
  children,
}: {
  lines: LogLine[];
  onOpen: (line: LogLine) => void;
  children: ReactNode;
}) {
  const scroller = useRef<HTMLElement>(null);
  const follows = useRef(true);
  const [isAway, setAway] = useState(false);
  const end = lines.at(-1)?.seq;
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls when the last line changes
  useLayoutEffect(() => {
    if (follows.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [end]);
  return (
    <div className="relative min-h-0 grow">
      <section
        ref={scroller}
        aria-label="Log"
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
          To the latest
        </Button>
      )}
    </div>
  );
}

const Line = memo(function Line({ line, onOpen }: { line: LogLine; onOpen: (line: LogLine) => void }) {
  const { time, level, requestId } = line;
  const mark = MARKS[level];
  const { message, rest } = splitLine(line);
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
          {message}
          {rest && <span className="text-muted"> {rest}</span>}
        </span>
        <span className="text-right text-muted max-md:hidden">{requestId && <ShortId id={requestId} />}</span>
      </button>
    </li>
  );
});

/** A line as text: a request's method, path and status; further fields as `ip=10.0.0.1 lastedMs=12`. */
function splitLine({ message, fields }: LogLine) {
  const { method, path, status, durationMs, ...others } = fields;
  const isRequest = message === 'request' && method !== undefined;
  const rest = Object.entries(isRequest ? others : fields)
    .filter(([, value]) => value === null || typeof value !== 'object')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return { message: isRequest ? `${method} ${path} ${status} ${durationMs} ms` : message, rest };
}

function Details({ line, onClose }: { line: LogLine; onClose: () => void }) {
  const { message, requestId, fields } = line;
  const err = fields.err as { stack?: string } | undefined;
  return (
    <>
      <p className="wrap-anywhere">{message}</p>
      <div className="mt-3">
        <Code
          label="Fields"
          text={`${err?.stack ? `${err.stack}\n\n` : ''}${JSON.stringify(fields, null, 2)}`}
          copied={JSON.stringify(line)}
        />
      </div>
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
