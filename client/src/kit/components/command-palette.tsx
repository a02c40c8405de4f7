import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { Icon, type IconName } from './icon.tsx';
import { Kbd } from './kbd.tsx';

export type Command = {
  /** The text that is shown and searched. */
  label: string;
  group: string;
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

/** A searchable list of commands: arrow keys select, `Enter` runs. */
export function CommandPalette({ commands, onClose }: { commands: Command[]; onClose: () => void }) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState(0);
  const found = commands.filter((command) => matches(command, search.trim()));
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
          placeholder="What do you want to do?"
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
            key={`${command.group} ${command.label}`}
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
            <span className="grow">{command.label}</span>
            <span className="text-muted">{command.group}</span>
            {command.shortcut && <Kbd>{command.shortcut}</Kbd>}
          </div>
        ))}
      </div>
      <p role="status" className={found.length > 0 ? 'sr-only' : 'px-4 pb-4 text-sm text-muted'}>
        {found.length > 0 ? `${found.length} commands` : 'No matching commands.'}
      </p>
    </dialog>
  );
}
