import { type KeyboardEvent, type ReactNode, useId, useState } from 'react';

type Tab = { name: string; content: ReactNode };

/** Views of one thing, one at a time. Arrow keys change the view, `Tab` goes into it. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  const id = useId();
  const [chosen, setChosen] = useState(0);

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const to = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    setChosen(to % tabs.length);
    event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')[to % tabs.length]?.focus();
  };

  return (
    <div>
      <div
        role="tablist"
        aria-label={label}
        onKeyDown={onKeyDown}
        className="relative flex gap-4 overflow-x-auto border-b"
      >
        {tabs.map(({ name }, index) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}-tab-${index}`}
            aria-controls={`${id}-panel-${index}`}
            aria-selected={index === chosen}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => setChosen(index)}
            className="-mb-px min-h-10 border-b-2 border-transparent text-sm whitespace-nowrap text-muted -outline-offset-2 hover:text-text aria-selected:border-accent aria-selected:font-medium aria-selected:text-text pointer-coarse:min-h-11"
          >
            {name}
          </button>
        ))}
      </div>
      {tabs.map(({ name, content }, index) => (
        <div
          key={name}
          role="tabpanel"
          id={`${id}-panel-${index}`}
          aria-labelledby={`${id}-tab-${index}`}
          hidden={index !== chosen}
          className="py-4"
        >
          {content}
        </div>
      ))}
    </div>
  );
}
