import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { Button } from '@/kit/components/button.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { recall, remember } from '@/kit/lib/tab-memory.ts';
import { useCreateNote } from './notes-queries.ts';

const route = getRouteApi('/notes');

/** Where a title that was not sent yet survives a reload. */
const KEPT = 'new-note';

/** Creates a note in place: a title, and the note opens for its text. */
export function NewNoteBox({ onClose }: { onClose: () => void }) {
  const navigate = route.useNavigate();
  const create = useCreateNote();
  const input = useRef<HTMLDivElement>(null);
  const [title, setTitle] = useState(() => recall(KEPT) ?? '');
  useEffect(() => input.current?.querySelector('input')?.focus(), []);
  useEffect(() => remember(KEPT, title), [title]);

  const submit = () => {
    create.mutate(
      { title: title.trim() },
      {
        onSuccess: (note) => {
          remember(KEPT, undefined);
          navigate({ to: '/notes/$id', params: { id: String(note.id) } });
        },
      },
    );
  };

  return (
    <div ref={input} className="border-t bg-surface px-4 py-3">
      <Form
        error={create.error}
        busy={create.isPending}
        onSubmit={submit}
        onKeyDown={(event) => event.key === 'Escape' && onClose()}
        className="space-y-3"
      >
        <Field
          label="Title of the new note"
          name="title"
          required
          pattern=".*\S.*"
          maxLength={200}
          autoComplete="off"
          value={title}
          onChange={(event) => setTitle(event.target.value)}
        />
        <div className="flex items-center justify-end gap-2">
          {create.isPaused && <p className="mr-auto text-sm text-muted">Waiting for the server</p>}
          <Button kind="quiet" onClick={onClose}>
            Cancel
          </Button>
          <Button kind="primary" type="submit" aria-disabled={create.isPending}>
            {create.isPending ? 'Creating…' : 'Create'}
          </Button>
        </div>
      </Form>
    </div>
  );
}
