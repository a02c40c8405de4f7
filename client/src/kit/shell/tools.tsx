import { IconButton } from '@/kit/components/button.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { Kbd } from '@/kit/components/kbd.tsx';
import { modKey } from '@/kit/lib/shortcut.ts';
import { barItem } from './frame.tsx';
import { ServerState } from './server-state.tsx';
import { ThemeMenu } from './theme-menu.tsx';

/** The bottom of the sidebar: server state, palette, theme. */
export function Tools({ onSearch }: { onSearch: () => void }) {
  return (
    <>
      <ServerState />
      <div className="flex items-center md:max-lg:flex-col lg:gap-1">
        <button
          type="button"
          onClick={onSearch}
          aria-keyshortcuts="Control+K Meta+K"
          className="flex min-h-8 grow items-center gap-2 rounded-md border px-2.5 text-sm text-muted transition-colors hover:bg-hover hover:text-text pointer-coarse:min-h-11 max-lg:hidden"
        >
          <Icon name="search" />
          <span className="grow text-left">Commands</span>
          <Kbd>{`${modKey()} K`}</Kbd>
        </button>
        <IconButton icon="search" label="Commands" onClick={onSearch} className="max-md:hidden lg:hidden" />
        <button
          type="button"
          onClick={onSearch}
          className={`flex items-center text-muted md:hidden ${barItem}`}
        >
          <Icon name="search" className="size-5" />
          Commands
        </button>
        {/* On phones it is in More. */}
        <span className="max-md:hidden">
          <ThemeMenu />
        </span>
      </div>
    </>
  );
}
