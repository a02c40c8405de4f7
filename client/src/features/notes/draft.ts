import { useEffect, useState } from 'react';
import type { Note } from '#contracts/notes.ts';
import { recall, remember } from '@/kit/lib/tab-memory.ts';

/** Text that is typed and not saved, and the version of the note it began from. */
export type Draft = { title: string; body: string; version: number };

const keyOf = (id: number) => `note-draft:${id}`;

function read(id: number): Draft | undefined {
  const kept = recall(keyOf(id));
  return kept === undefined ? undefined : (JSON.parse(kept) as Draft);
}

/**
 * The unsaved text of a note, kept in the tab so that neither another screen, a reload nor a lost server loses it.
 *
 * @returns The draft, undefined while nothing is unsaved, and the function that replaces it.
 */
export function useDraft(id: number) {
  const [draft, setDraft] = useState(() => read(id));
  useEffect(() => {
    remember(keyOf(id), draft && JSON.stringify(draft));
  }, [id, draft]);
  return [draft, setDraft] as const;
}

/** Whether something of a note is typed and not saved. */
export const hasDraft = (id: unknown) => recall(keyOf(Number(id))) !== undefined;

/** Whether draft and note say the same. */
export const isSame = (draft: Draft, note: Note) => draft.title === note.title && draft.body === note.body;
