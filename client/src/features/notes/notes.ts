import { changeNote, createNote, deleteNote, listNotes, readNote, restoreNote } from '#contracts/notes.ts';
import { records } from '@/kit/lib/records.ts';

/** The notes on the server. */
export const notes = records(
  'notes',
  {
    list: listNotes,
    read: readNote,
    create: createNote,
    change: changeNote,
    delete: deleteNote,
    restore: restoreNote,
  },
  {
    // The first 140 characters stand in a list, as in the server's own `excerpt`.
    rowOf: ({ body, ...note }) => ({ ...note, excerpt: body.slice(0, 140) }),
    titleOf: ({ title }) => title,
  },
);
