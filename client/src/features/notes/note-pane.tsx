import { getRouteApi, linkOptions } from '@tanstack/react-router';
import { RecordPane } from '@/kit/components/record-pane.tsx';
import { TitleInput } from '@/kit/components/title-input.tsx';
import { useRecord } from '@/kit/lib/use-record.ts';
import { notes } from './notes.ts';

const route = getRouteApi('/notes/$id');

const FIELDS = [
  { name: 'title', label: 'Title' },
  { name: 'body', label: 'Text', multiline: true },
];

/** One note, to read and to change. */
export function NotePane() {
  const { id } = route.useParams();
  const { search } = route.useSearch();
  const note = useRecord(notes, id);
  return (
    <RecordPane
      of={note}
      noun="note"
      listName="Notes"
      back={linkOptions({ to: '/notes', search: { search } })}
      fields={FIELDS}
    >
      <TitleInput
        {...note.field('title')}
        aria-label="Title"
        placeholder="Title"
        autoComplete="off"
        className="-mx-2 mt-2 text-xl font-semibold tracking-tight"
      />
      <textarea
        {...note.field('body')}
        aria-label="Text"
        placeholder="Write something"
        data-focus={note.record?.body === '' || undefined}
        className="-mx-2 mt-2 min-h-64 max-w-[66ch] grow resize-none rounded-md bg-transparent px-2 py-1 text-base transition-colors hover:bg-hover focus:bg-transparent max-md:text-[16px]"
      />
    </RecordPane>
  );
}
