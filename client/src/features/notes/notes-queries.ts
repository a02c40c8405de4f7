import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import type {
  changeNote,
  createNote,
  deleteNote,
  listNotes,
  NewNote,
  Note,
  NoteChange,
  NoteEvent,
  NotePage,
  NoteSummary,
  readNote,
  restoreNote,
} from '#contracts/notes.ts';
import { toast } from '@/kit/components/toast.tsx';
import { explain, request } from '@/kit/lib/api.ts';
import { useEvents } from '@/kit/lib/events.ts';
import { hasDraft } from './draft.ts';

/** Notes in the first page, which the reader waits for, and in each further one, which is fetched ahead. */
const FIRST_PAGE = 40;
const NEXT_PAGE = 100;

type Lists = InfiniteData<NotePage, string | undefined>;

/**
 * The notes that match `search`, newest first, in pages. Refetching would fetch every loaded page, so only a list of
 * one page is refreshed automatically; mutations keep the others current.
 */
export const notesQuery = (search: string) =>
  infiniteQueryOptions({
    queryKey: ['notes', 'list', search],
    queryFn: ({ pageParam, signal }) =>
      request<typeof listNotes>('GET', '/api/notes', {
        query: {
          ...(search ? { search } : {}),
          ...(pageParam ? { cursor: pageParam, limit: NEXT_PAGE } : { limit: FIRST_PAGE }),
        },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextCursor }) => nextCursor ?? undefined,
    placeholderData: keepPreviousData,
    // Structural sharing of 100,000 notes per page would cost more than rendering the few that changed.
    structuralSharing: false,
    staleTime: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? Number.POSITIVE_INFINITY : 30_000),
  });

/** One note with its text. */
export const noteQuery = (id: number) =>
  queryOptions({
    queryKey: ['notes', 'one', id],
    queryFn: ({ signal }) => request<typeof readNote>('GET', '/api/notes/:id', { params: { id }, signal }),
  });

/** The version a change is based on, as an ETag. */
const ifMatch = (version: number) => ({ 'if-match': `"${version}"` });

/** Lists show the first 140 characters, like the server's `excerpt`. */
const summaryOf = ({ body, ...note }: Note): NoteSummary => ({ ...note, excerpt: body.slice(0, 140) });

/** Changes every cached list. `change` receives the notes of one page and returns the same array if nothing changed. */
function editLists(client: QueryClient, change: (items: NoteSummary[]) => NoteSummary[]) {
  client.setQueriesData<Lists>(
    { queryKey: ['notes', 'list'] },
    (data) =>
      data && {
        ...data,
        pages: data.pages.map((page) => {
          const items = change(page.items);
          return items === page.items ? page : { ...page, items };
        }),
      },
  );
}

const removeFromLists = (client: QueryClient, id: number) =>
  editLists(client, (items) =>
    items.some((note) => note.id === id) ? items.filter((note) => note.id !== id) : items,
  );

const replaceInLists = (client: QueryClient, id: number, by: NoteSummary) =>
  editLists(client, (items) => {
    if (!items.some((note) => note.id === id)) return items;
    // An event may have brought it before its answer came.
    const isThere = id !== by.id && items.some((note) => note.id === by.id);
    if (isThere) return items.filter((note) => note.id !== id);
    return items.map((note) => (note.id === id ? by : note));
  });

/** Inserts a note, newest first. Lists with a search are refetched: only the server knows whether the note matches. */
function insertIntoLists(client: QueryClient, note: NoteSummary) {
  removeFromLists(client, note.id);
  client.setQueryData<Lists>(['notes', 'list', ''], (data) => {
    if (!data) return data;
    const isOlder = (other: NoteSummary) => other.id > 0 && (note.id < 0 || other.id < note.id);
    const found = data.pages.findIndex(({ items, nextCursor }) => items.some(isOlder) || nextCursor === null);
    if (found === -1) return data;
    const pages = data.pages.map((page, index) => {
      if (index !== found) return page;
      const at = page.items.findIndex(isOlder);
      return { ...page, items: page.items.toSpliced(at === -1 ? page.items.length : at, 0, note) };
    });
    return { ...data, pages };
  });
  client.invalidateQueries({
    predicate: ({ queryKey: [first, second, search] }) =>
      first === 'notes' && second === 'list' && search !== '',
  });
}

let lastTemporaryId = 0;

/** More notes than these are not read one by one. */
const MAX_READ_ALONE = 20;

/** Keeps what is shown current while others write. A note with unsaved text stays as it is: saving reports the conflict. */
export function useLiveNotes() {
  const client = useQueryClient();
  useEvents<NoteEvent>('notes', (events) => {
    const latest = new Map(events?.map((event) => [event.id, event]));
    if (!events || latest.size > MAX_READ_ALONE) {
      client.invalidateQueries({
        queryKey: ['notes'],
        predicate: ({ queryKey: [, kind, id] }) => kind === 'list' || !hasDraft(id),
      });
      return;
    }
    for (const event of latest.values()) void follow(client, event);
  });
}

async function follow(client: QueryClient, { id, version }: NoteEvent) {
  const { queryKey, queryFn } = noteQuery(id);
  if (version === undefined) {
    removeFromLists(client, id);
    // Where it is on screen, the server says that it is gone.
    if (client.getQueryCache().find({ queryKey })?.isActive()) return client.resetQueries({ queryKey });
    return client.removeQueries({ queryKey });
  }
  if (hasDraft(id)) return;
  // What was written here has come with its answer.
  if ((client.getQueryData(queryKey)?.version ?? 0) >= version) return;
  const note = await client.fetchQuery({ queryKey, queryFn, staleTime: 0 }).catch(() => undefined);
  if (note) insertIntoLists(client, summaryOf(note));
}

/** Creates a note. It stands in the list at once, under a negative id, and leaves it again if the server refuses. */
export function useCreateNote() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewNote) => request<typeof createNote>('POST', '/api/notes', { body }),
    onMutate: async ({ title, body = '' }) => {
      await client.cancelQueries({ queryKey: ['notes', 'list'] });
      lastTemporaryId -= 1;
      const now = new Date().toISOString();
      const temporary = {
        id: lastTemporaryId,
        title,
        excerpt: body,
        version: 0,
        createdAt: now,
        updatedAt: now,
      };
      insertIntoLists(client, temporary);
      return temporary;
    },
    onSuccess: (note, _, temporary) => {
      client.setQueryData(noteQuery(note.id).queryKey, note);
      replaceInLists(client, temporary.id, summaryOf(note));
    },
    onError: (_error, _body, temporary) => temporary && removeFromLists(client, temporary.id),
  });
}

/**
 * Saves a change that is based on `version`. A conflict (412) fetches the newer note into the cache, where the screen
 * finds it beside the draft.
 */
export function useSaveNote(id: number) {
  const client = useQueryClient();
  return useMutation({
    scope: { id: `note-${id}` },
    mutationFn: ({ change, version }: { change: NoteChange; version: number }) =>
      request<typeof changeNote>('PATCH', '/api/notes/:id', {
        params: { id },
        headers: ifMatch(version),
        body: change,
      }),
    onMutate: () => client.cancelQueries({ queryKey: noteQuery(id).queryKey }),
    onSuccess: (note) => {
      client.setQueryData(noteQuery(id).queryKey, note);
      replaceInLists(client, id, summaryOf(note));
    },
    onError: () => client.invalidateQueries({ queryKey: noteQuery(id).queryKey }),
  });
}

/** Restores a deleted note, also in the lists. */
export async function restore(client: QueryClient, id: number) {
  try {
    const note = await request<typeof restoreNote>('POST', '/api/notes/:id/restore', { params: { id } });
    client.setQueryData(noteQuery(id).queryKey, note);
    insertIntoLists(client, summaryOf(note));
  } catch (error) {
    const { title, detail } = explain(error);
    toast.error(detail ?? title, { action: { label: 'Try again', onClick: () => restore(client, id) } });
  }
}

/** Deletes a note, unless it has changed since it was shown, and offers to undo it. It leaves the lists at once. */
export function useDeleteNote() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, version }: NoteSummary) =>
      request<typeof deleteNote>('DELETE', '/api/notes/:id', { params: { id }, headers: ifMatch(version) }),
    onMutate: async ({ id }) => {
      await client.cancelQueries({ queryKey: ['notes', 'list'] });
      removeFromLists(client, id);
    },
    onSuccess: (_, note) => {
      client.removeQueries({ queryKey: noteQuery(note.id).queryKey });
      toast(`Deleted “${note.title}”`, {
        action: { label: 'Undo', onClick: () => restore(client, note.id) },
      });
    },
    onError: (error, note) => {
      insertIntoLists(client, note);
      client.invalidateQueries({ queryKey: noteQuery(note.id).queryKey });
      const { title, detail } = explain(error);
      toast.error(`“${note.title}” was not deleted. ${detail ?? title}`);
    },
  });
}
