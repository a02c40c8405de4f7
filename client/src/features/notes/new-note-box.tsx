import { getRouteApi } from '@tanstack/react-router';
import { createNote } from '#contracts/notes.ts';
import { Button } from '@/kit/components/button.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { useForm } from '@/kit/lib/use-form.ts';
import { useCreateNote } from './notes-queries.ts';

const route = getRouteApi('/notes');

/** Creates a note in place: a title, and the note opens for its text. */
export function NewNoteBox({ onClose }: { onClose: () => void }) {
  const navigate = route.useNavigate();
  const create = useCreateNote();
  const form = useForm(createNote, {
    keepAs: 'new-note',
    async send({ title }) {
      const note = await create.mutateAsync({ title: title.trim() });
      await navigate({ to: '/notes/$id', params: { id: String(note.id) } });
    },
  });

  return (
    <form
      {...form.form}
      className="space-y-3 border-t bg-surface px-4 py-3"
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <Field {...form.field('title')} label="Title of the new note" autoComplete="off" autoFocus />
      {form.failure !== undefined && <ErrorNote error={form.failure} />}
      <div className="flex items-center justify-end gap-2">
        {create.isPaused && <p className="mr-auto text-sm text-muted">Waiting for the server</p>}
        <Button variant="ghost" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" aria-disabled={form.isSending}>
          {form.isSending ? 'Creating…' : 'Create'}
        </Button>
      </div>
    </form>
  );
}
