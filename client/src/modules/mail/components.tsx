import { useState } from 'react';
import { Button } from '@/kit/components/button.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Input } from '@/kit/components/input.tsx';
import { Pagination } from '@/kit/components/pagination.tsx';
import type { usePages } from '@/kit/lib/use-pages.ts';

/** The beginning of a recipient's hash: operators see no addresses. */
export const Recipient = ({ hash }: { hash: string }) => (
  <span className="flex items-center text-muted max-sm:-my-3" title={`SHA-256 ${hash}`}>
    <code className="font-mono text-xs">{hash.slice(0, 12)}</code>
    <CopyButton text={hash} label={`Copy the hash ${hash.slice(0, 12)}`} />
  </span>
);

/** Asks for one recipient. The whole address is needed, because only its hash is searched. */
export function FindAddress({ onFind }: { onFind: (address: string) => void }) {
  const [text, setText] = useState('');
  return (
    <form
      className="flex grow gap-2 sm:max-w-md"
      onSubmit={(event) => {
        event.preventDefault();
        onFind(text.trim());
      }}
    >
      <Input
        type="search"
        aria-label="Recipient’s address"
        placeholder="Recipient’s address"
        autoComplete="off"
        spellCheck={false}
        maxLength={320}
        value={text}
        onChange={({ target: { value } }) => {
          setText(value);
          if (value === '') onFind('');
        }}
      />
      <Button type="submit" variant="outline" icon="search">
        Find
      </Button>
    </form>
  );
}

/** Previous and next, where there is more than one page. */
export const Pages = ({ of, next }: { of: ReturnType<typeof usePages>; next: string | null }) =>
  of.cursor === undefined && next === null ? null : <Pagination {...of.buttons(next)} />;
