import type { ReactNode } from 'react';
import type { Note } from '#contracts/notes.ts';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { ago } from '@/kit/lib/format.ts';
import type { Draft } from './draft.ts';

type Props = {
  /** The newer note on the server. */
  note: Note;
  /** The local draft, based on an older version. */
  draft: Draft;
  onEdit: (change: Partial<Draft>) => void;
  onKeepMine: () => void;
  onTakeTheirs: () => void;
};

/** Shows both versions of a note that two people changed, to merge them or to keep one. */
export function ConflictView({ note, draft, onEdit, onKeepMine, onTakeTheirs }: Props) {
  const theirs = note.body.split('\n').map((line, place) => ({ place, line }));
  const mine = new Set(draft.body.split('\n'));
  return (
    <div className="pb-8">
      <div
        role="alert"
        className="mb-6 flex items-start gap-2 rounded-md border border-degraded bg-surface px-3 py-2 text-sm"
      >
        <Icon name="alert" className="mt-0.5 size-4 text-degraded" />
        <p>
          <strong className="font-medium">Another person saved this note {ago(note.updatedAt)}.</strong>{' '}
          Nothing is lost: both versions are here. Lines that only theirs has are marked; copy what you need
          into yours, then choose.
        </p>
      </div>
      <div className="grid gap-6 xl:grid-cols-2">
        <Version name="Theirs" note="on the server">
          <p className="mb-1 text-sm font-medium">Title</p>
          <p
            className={`min-h-9 rounded-md border px-3 py-[5px] max-md:min-h-11 wrap-anywhere ${note.title === draft.title ? '' : 'bg-selected'}`}
          >
            {note.title}
          </p>
          <p className="mt-3 mb-1 text-sm font-medium">Text</p>
          <div className="min-h-64 rounded-md border py-2 whitespace-pre-wrap wrap-anywhere">
            {theirs.map(({ place, line }) =>
              mine.has(line) ? (
                <p key={place} className="min-h-6 px-3">
                  {line}
                </p>
              ) : (
                <ins
                  key={place}
                  className="block min-h-6 border-l-2 border-accent bg-selected px-2.5 no-underline"
                >
                  {line}
                </ins>
              ),
            )}
          </div>
          <Button variant="outline" className="mt-4 w-full" onClick={onTakeTheirs}>
            Take theirs, discard mine
          </Button>
        </Version>
        <Version name="Yours" note="not saved yet">
          <Field
            label="Title"
            value={draft.title}
            maxLength={200}
            onChange={(event) => onEdit({ title: event.target.value })}
          />
          <Field
            multiline
            label="Text"
            className="mt-3 [&_textarea]:min-h-64"
            value={draft.body}
            maxLength={20_000}
            onChange={(event) => onEdit({ body: event.target.value })}
          />
          <Button
            className="mt-4 w-full"
            aria-disabled={draft.title.trim() === ''}
            onClick={() => draft.title.trim() && onKeepMine()}
          >
            Save mine over theirs
          </Button>
        </Version>
      </div>
    </div>
  );
}

function Version({ name, note, children }: { name: string; note: string; children: ReactNode }) {
  return (
    <section aria-label={`${name}, ${note}`}>
      <h2 className="mb-3 text-base">
        {name} <span className="text-sm font-normal text-muted">{note}</span>
      </h2>
      {children}
    </section>
  );
}
