import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useEffect, useId } from 'react';
import type { Note } from '#contracts/notes.ts';
import { Button, buttonVariants, IconButton } from '@/kit/components/button.tsx';
import { ErrorNote, ErrorState } from '@/kit/components/error-state.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { ApiError } from '@/kit/lib/api.ts';
import { ago, exactly } from '@/kit/lib/format.ts';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { useTitle } from '@/kit/lib/use-title.ts';
import { ConflictView } from './conflict-view.tsx';
import { type Draft, isSame, useDraft } from './draft.ts';
import { noteQuery, restore, useDeleteNote, useSaveNote } from './notes-queries.ts';

const route = getRouteApi('/notes/$id');

/** One note, to read and to change. */
export function NotePane() {
  const { id } = route.useParams();
  const number = Number(id);
  const isPossible = Number.isSafeInteger(number) && number > 0;
  const query = useQuery({ ...noteQuery(number), enabled: isPossible });
  const isGone = !isPossible || (query.error instanceof ApiError && query.error.problem.status === 404);
  const title = query.data?.title ?? 'Note';
  useTitle(title);

  return (
    <div
      key={id}
      tabIndex={-1}
      data-focus
      data-note-pane
      className="mx-auto flex min-h-full max-w-3xl flex-col px-4 md:px-8"
    >
      {/* On phones the list is out of sight, and its heading with it: the note is what the page is about. */}
      <h1 className="sr-only md:hidden">{title}</h1>
      {query.data ? (
        <Editor note={query.data} />
      ) : isGone ? (
        <Gone id={isPossible ? number : undefined} />
      ) : query.isError ? (
        <ErrorState error={query.error} onRetry={() => query.refetch()} />
      ) : (
        <Loading />
      )}
    </div>
  );
}

function Gone({ id }: { id: number | undefined }) {
  const client = useQueryClient();
  return (
    <div className="py-12">
      <h2 className="text-lg">This note does not exist</h2>
      <p className="mt-1 mb-4 text-muted">
        It may have been deleted. A deleted note can be restored for a day.
      </p>
      <div className="flex flex-wrap gap-2">
        {id !== undefined && (
          <Button variant="outline" onClick={() => restore(client, id)}>
            Restore it
          </Button>
        )}
        <Link to="/notes" className={buttonVariants()}>
          All notes
        </Link>
      </div>
    </div>
  );
}

function Loading() {
  return (
    <div aria-busy="true" className="space-y-4 pt-18">
      <Skeleton className="h-7 w-1/2" />
      <Skeleton className="h-4 w-full" />
      <Skeleton className="h-4 w-5/6" />
      <Skeleton className="h-4 w-2/3" />
    </div>
  );
}

function Editor({ note }: { note: Note }) {
  const id = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const { search } = route.useSearch();
  const [draft, setDraft] = useDraft(note.id);
  const save = useSaveNote(note.id);
  const remove = useDeleteNote();
  const { title, body } = draft ?? note;
  const isConflict = draft !== undefined && draft.version < note.version && !save.isPending;
  const canSave = draft !== undefined && !save.isPending && title.trim() !== '';

  // Text that equals the saved note, because it was undone or saved without an answer, is no draft.
  useEffect(() => {
    if (draft && isSame(draft, note) && !save.isPending) setDraft(undefined);
  }, [draft, note, save.isPending, setDraft]);

  const edit = (change: Partial<Draft>) =>
    setDraft((before) => ({
      title: note.title,
      body: note.body,
      version: note.version,
      ...before,
      ...change,
    }));

  const send = (mine: Draft, version: number) => {
    save.mutate(
      { change: { title: mine.title.trim(), body: mine.body }, version },
      {
        // Text typed meanwhile stays a draft, now of the new version.
        onSuccess: (saved) =>
          setDraft((now) =>
            now && (now.title !== mine.title || now.body !== mine.body)
              ? { ...now, version: saved.version }
              : undefined,
          ),
      },
    );
  };

  useShortcut('mod+s', () => canSave && !isConflict && draft && send(draft, draft.version));
  useShortcut('Escape', () => navigate({ to: '/notes', search: { search } }));

  const discard = () => {
    setDraft(undefined);
    save.reset();
    // It was not followed while something was typed.
    client.invalidateQueries({ queryKey: noteQuery(note.id).queryKey });
  };

  const isConflictError = save.error instanceof ApiError && save.error.problem.status === 412;
  return (
    <>
      <div className="sticky top-0 z-[1] -mx-4 flex min-h-14 items-center gap-2 bg-background px-4 md:-mx-8 md:px-8">
        <Link
          to="/notes"
          search={{ search }}
          className={`${buttonVariants({ variant: 'ghost' })} -ml-3 md:hidden`}
        >
          <Icon name="arrowLeft" />
          Notes
        </Link>
        <p role="status" className="grow truncate text-sm text-muted">
          {save.isPaused ? (
            'Waiting for the server'
          ) : save.isPending ? (
            'Saving…'
          ) : draft ? (
            'Not saved yet'
          ) : (
            <time
              dateTime={note.updatedAt}
              title={exactly(note.updatedAt)}
            >{`Saved ${ago(note.updatedAt)}`}</time>
          )}
        </p>
        {draft && !isConflict && (
          <>
            <Button variant="ghost" onClick={discard}>
              Discard
            </Button>
            <Button
              aria-disabled={!canSave}
              aria-keyshortcuts="Control+S Meta+S"
              onClick={() => canSave && send(draft, draft.version)}
            >
              Save
            </Button>
          </>
        )}
        <IconButton
          icon="trash"
          label="Delete this note"
          onClick={() => {
            // Unsaved text stays in the tab, for Undo.
            navigate({ to: '/notes', search: { search } });
            const { body: text, ...rest } = note;
            remove.mutate({ ...rest, excerpt: text.slice(0, 140) });
          }}
        />
      </div>
      {save.error && !isConflictError && <ErrorNote error={save.error} />}
      {isConflict ? (
        <ConflictView
          note={note}
          draft={draft}
          onEdit={edit}
          onKeepMine={() => send(draft, note.version)}
          onTakeTheirs={discard}
        />
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: handles keys of the two boxes within
        <div
          className="flex grow flex-col pb-6"
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            // The first Esc leaves the text box, the second closes the note.
            event.preventDefault();
            event.currentTarget.closest<HTMLElement>('[data-note-pane]')?.focus();
          }}
        >
          <label htmlFor={`${id}-title`} className="sr-only">
            Title
          </label>
          <input
            id={`${id}-title`}
            value={title}
            maxLength={200}
            placeholder="Title"
            autoComplete="off"
            aria-invalid={title.trim() === '' || undefined}
            onChange={(event) => edit({ title: event.target.value })}
            className="-mx-2 rounded-md bg-transparent px-2 py-1 text-xl transition-colors hover:bg-hover focus:bg-transparent font-semibold tracking-tight"
          />
          {title.trim() === '' && <p className="text-sm text-failing">A note needs a title.</p>}
          <label htmlFor={`${id}-body`} className="sr-only">
            Text
          </label>
          <textarea
            id={`${id}-body`}
            data-focus={note.body === '' ? true : undefined}
            value={body}
            maxLength={20_000}
            placeholder="Write something"
            onChange={(event) => edit({ body: event.target.value })}
            className="-mx-2 mt-2 min-h-64 max-w-[66ch] grow resize-none rounded-md bg-transparent px-2 py-1 transition-colors hover:bg-hover focus:bg-transparent text-base max-md:text-[16px]"
          />
        </div>
      )}
    </>
  );
}
