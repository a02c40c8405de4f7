import { getRouteApi, linkOptions, Outlet, useMatchRoute } from '@tanstack/react-router';
import { createNote, type NoteSummary } from '#contracts/notes.ts';
import { Button, IconButton } from '@/kit/components/button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Kbd } from '@/kit/components/kbd.tsx';
import { ListAndRecord } from '@/kit/components/list-and-record.tsx';
import { RecordList } from '@/kit/components/record-list.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { SearchBox } from '@/kit/components/search-box.tsx';
import { ago, exactly } from '@/kit/lib/format.ts';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { useCreate } from '@/kit/lib/use-changes.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { useList, useLiveRecords } from '@/kit/lib/use-list.ts';
import { useOwnTopic } from '@/kit/shell/visitor.ts';
import { notes } from './notes.ts';

const route = getRouteApi('/notes');

/** Notes: the list and the note side by side, or one after the other on phones. */
export const NotesScreen = withServerData(function NotesScreen() {
  const navigate = route.useNavigate();
  const { search, new: isNew } = route.useSearch();
  const isOpen = Boolean(useMatchRoute()({ to: '/notes/$id' }));
  useLiveRecords(notes, useOwnTopic('notes'));
  const list = useList(notes, { search });
  const openNew = () => navigate({ to: '/notes', search: { new: true } });
  useShortcut('n', openNew);

  return (
    <ListAndRecord
      listLabel="List of notes"
      recordLabel="Note"
      isOpen={isOpen}
      list={
        <>
          <div className="space-y-3 px-4 pt-4 pb-3">
            <div className="flex items-center justify-between">
              <ScreenHeading title="Notes" className="text-lg" />
              <IconButton icon="plus" label="New note (N)" aria-keyshortcuts="n" onClick={openNew} />
            </div>
            <SearchBox label="Search notes" />
          </div>
          {isNew && (
            // Over the list, which stays where it is when the form goes.
            <div className="relative z-[1]">
              <NewNote onClose={() => navigate({ to: '/notes', search: {}, replace: true })} />
            </div>
          )}
          <RecordList
            list={list}
            noun="notes"
            link={(note) =>
              note
                ? linkOptions({ to: '/notes/$id', params: { id: String(note.id) }, search: { search } })
                : linkOptions({ to: '/notes', search: { search } })
            }
            empty={!isNew && <NoNotes search={search} onNew={openNew} />}
          >
            {(note) => <NoteRow note={note} />}
          </RecordList>
        </>
      }
    >
      <Outlet />
      {!isOpen && (
        <div className="grid justify-center pt-[30vh]">
          <Empty icon="note" title="Choose a note to read it">
            <p>
              <Kbd>N</Kbd> makes a new one, <Kbd>/</Kbd> searches, <Kbd>↑</Kbd> <Kbd>↓</Kbd> go through the
              list.
            </p>
          </Empty>
        </div>
      )}
    </ListAndRecord>
  );
});

/** Creates a note in place: a title, and the note opens for its text. */
function NewNote({ onClose }: { onClose: () => void }) {
  const navigate = route.useNavigate();
  const create = useCreate(notes);
  const form = useForm(createNote, {
    keepAs: 'new-note',
    async send({ title }) {
      const { id } = await create.mutateAsync({ title: title.trim() });
      await navigate({ to: '/notes/$id', params: { id: String(id) } });
    },
  });
  return (
    <Form
      of={form}
      className="absolute inset-x-0 space-y-3 border-y bg-surface px-4 py-3"
      onKeyDown={({ key }) => key === 'Escape' && onClose()}
    >
      <Field {...form.field('title')} label="Title of the new note" autoComplete="off" autoFocus />
      <div className="flex items-center justify-end gap-2">
        {create.isPaused && <p className="mr-auto text-xs leading-4 text-muted">Waiting for the server</p>}
        <Button variant="ghost" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" pending={form.isSending}>
          Create
        </Button>
      </div>
    </Form>
  );
}

const NoNotes = ({ search, onNew }: { search: string | undefined; onNew: () => void }) =>
  search ? (
    <Empty icon="search" title={`Nothing has the words “${search}”`}>
      <p>The last word may be a beginning. All others must be whole.</p>
    </Empty>
  ) : (
    <Empty icon="note" title="No notes yet">
      <p>A note has a title and a text. It is kept in this server's PostgreSQL.</p>
      <Button icon="plus" onClick={onNew}>
        Write the first note
      </Button>
    </Empty>
  );

function NoteRow({ note }: { note: NoteSummary }) {
  // Also its key: flush right, a longer text in the same element would count as moved.
  const when = ago(note.updatedAt);
  return (
    <>
      <span className="flex items-baseline gap-3">
        <span className="grow truncate text-base font-medium">{note.title}</span>
        <time
          key={when}
          dateTime={note.updatedAt}
          title={exactly(note.updatedAt)}
          className="shrink-0 text-xs text-muted"
        >
          {when}
        </time>
      </span>
      <span className="truncate text-sm text-muted">{note.excerpt || 'No text'}</span>
    </>
  );
}
