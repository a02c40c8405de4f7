import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { Icon, type IconName } from './icon.tsx';
import { Kbd } from './kbd.tsx';

export type Command = {
  /** The text that is shown and searched. */
  label: string;
  group: string;
  /** Tells it from others of the same label. */
  key?: string;
  icon?: IconName;
  /** The keyboard shortcut of the same action. */
  shortcut?: string;
  run: () => void;
};

/** Whether the command contains every word of the search, in any order. */
const matches = (command: Command, search: string) => {
  const text = `${command.group} ${command.label}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
};

/** The search waits until nothing is typed for this long, in milliseconds. */
const PAUSE_MS = 150;

type Find = (text: string, signal: AbortSignal) => Promise<Command[]>;

/** What `find` has found for the text. The hits of a shorter text stay until others come. */
function useFound(find: Find | undefined, text: string) {
  const [hits, setHits] = useState<Command[]>([]);
  const [state, setState] = useState<'idle' | 'searching' | 'failed'>('idle');
  useEffect(() => {
    if (!find || text === '') {
      setHits([]);
      return setState('idle');
    }
    const abort = new AbortController();
    setState('searching');
    const timer = setTimeout(async () => {
      try {
        const found = await find(text, abort.signal);
        if (abort.signal.aborted) return;
        setHits(found);
        setState('idle');
      } catch {
        if (abort.signal.aborted) return;
        setHits([]);
        setState('failed');
      }
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [find, text]);
  return { hits, state };
}

/**
 * A searchable list of commands: arrow keys select, `Enter` runs.
 *
 * @param props.find Finds data by what is typed, such as records, behind the commands.
 */
export function CommandPalette({
  commands,
  find,
  onClose,
}: {
  commands: Command[];
  find?: Find;
  onClose: () => void;
}) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState(0);
  const text = search.trim();
  const { hits, state } = useFound(find, text);
  const found = [...commands.filter((command) => matches(command, text)), ...hits];
  const current = Math.min(chosen, found.length - 1);

  useEffect(() => dialog.current?.showModal(), []);

  const run = (command: Command | undefined) => {
    if (!command) return;
    dialog.current?.close();
    command.run();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: found.length - 1 }[event.key];
    if (event.key === 'Enter') run(found[current]);
    else if (step !== undefined && found.length > 0) setChosen((current + step) % found.length);
    else return;
    event.preventDefault();
  };

  return (
    <dialog
      ref={dialog}
      aria-label="Commands"
      onClose={onClose}
      // Not onClick: dragging a text selection out of the box ends in a click outside.
      onPointerDown={(event) => event.target === event.currentTarget && dialog.current?.close()}
      className="mx-auto mt-[12vh] w-[min(36rem,calc(100vw-2rem))] overflow-hidden rounded-lg border bg-surface p-0 text-text shadow-overlay open:rise"
    >
      <div className="flex items-center gap-3 border-b px-4 text-muted">
        <Icon name="search" />
        <input
          autoFocus
          role="combobox"
          aria-label="Search commands"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={found[current] ? `${id}-${current}` : undefined}
          placeholder={find ? 'Search or run a command' : 'What do you want to do?'}
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
            setChosen(0);
          }}
          onKeyDown={onKeyDown}
          className="h-12 grow bg-transparent text-base text-text outline-none max-md:text-[16px]"
        />
        <Kbd>Esc</Kbd>
      </div>
      <div role="listbox" id={`${id}-list`} aria-label="Commands" className="max-h-80 overflow-y-auto p-1">
        {found.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are heard by the box above, which keeps the focus
          // biome-ignore lint/a11y/useFocusableInteractive: options of a combobox are pointed at, never focused
          <div
            key={`${command.group} ${command.key ?? command.label}`}
            ref={index === current ? (element) => element?.scrollIntoView({ block: 'nearest' }) : undefined}
            role="option"
            id={`${id}-${index}`}
            aria-selected={index === current}
            onPointerMove={() => setChosen(index)}
            onClick={() => run(command)}
            className="flex min-h-10 cursor-pointer items-center gap-3 rounded-md px-3 text-sm aria-selected:bg-hover pointer-coarse:min-h-11"
          >
            <span className="text-muted">
              {command.icon ? <Icon name={command.icon} /> : <span className="block size-4" />}
            </span>
            <span className="min-w-0 grow truncate">{command.label}</span>
            <span className="text-muted">{command.group}</span>
            {command.shortcut && <Kbd>{command.shortcut}</Kbd>}
          </div>
        ))}
      </div>
      <p
        role="status"
        className={found.length > 0 && state !== 'failed' ? 'sr-only' : 'px-4 py-3 text-sm text-muted'}
      >
        {state === 'failed'
          ? 'The data cannot be searched now.'
          : found.length > 0
            ? `${found.length} ${found.length === 1 ? 'result' : 'results'}`
            : state === 'searching'
              ? 'Searching.'
              : 'No results.'}
      </p>
    </dialog>
  );
}
