import { createRoute } from '@tanstack/react-router';
import type { listNotes } from '#contracts/notes.ts';
import { request } from '@/kit/lib/api.ts';
import { listSearch } from '@/kit/lib/list-search.ts';
import { root } from '@/kit/shell/root.ts';
import { screen } from '@/kit/shell/screen.ts';

const list = createRoute({
  getParentRoute: () => root,
  path: '/notes',
  staticData: {
    navigation: { label: 'Notes', icon: 'note' },
    commands: [{ label: 'New note', icon: 'plus', shortcut: 'N', href: '/notes?new=true' }],
    search: {
      label: 'Notes',
      icon: 'note',
      async find(search, signal) {
        const { items } = await request<typeof listNotes>('GET', '/api/notes', {
          query: { search, limit: 5 },
          signal,
        });
        return items.map(({ id, title }) => ({ label: title, href: `/notes/${id}` }));
      },
    },
  },
  validateSearch: listSearch,
  component: screen(() => import('./notes-screen.tsx'), 'NotesScreen'),
});

const one = createRoute({
  getParentRoute: () => list,
  path: '$id',
  component: screen(() => import('./note-pane.tsx'), 'NotePane'),
});

export const notes = list.addChildren([one]);
