import { type Static, Type } from 'typebox';
import { Page, PageQuery } from './page.ts';
import { Problem } from './problem.ts';

/** PostgreSQL's text holds every character but NUL. */
const withoutNul = '^[^\\u0000]*$';

const title = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$',
  errorMessage: 'A note needs a title.',
});
const body = Type.String({ maxLength: 20_000, pattern: withoutNul });

const Params = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
});

/** A note as it is read. `version` grows by one with each edit; the `ETag` of the answer is made from it. */
export const Note = Type.Object(
  {
    id: Type.Integer(),
    title: Type.String(),
    body: Type.String(),
    version: Type.Integer(),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'Note', title: 'Note' },
);
export type Note = Static<typeof Note>;

/** What open pages are told of a note that was written: `version` is absent where it was deleted. */
export type NoteEvent = { id: number; version?: number };

/** A note as it stands in a list: the beginning of its body instead of the whole. */
export const NoteSummary = Type.Object(
  {
    id: Type.Integer(),
    title: Type.String(),
    excerpt: Type.String({ description: 'The first 140 characters of the body' }),
    version: Type.Integer(),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'NoteSummary', title: 'NoteSummary' },
);
export type NoteSummary = Static<typeof NoteSummary>;

export const NotePage = Page(NoteSummary);
export type NotePage = Static<typeof NotePage>;

export const NewNote = Type.Object({ title, body: Type.Optional(body) }, { additionalProperties: false });
export type NewNote = Static<typeof NewNote>;

export const NoteChange = Type.Object(
  { title: Type.Optional(title), body: Type.Optional(body) },
  { additionalProperties: false, minProperties: 1 },
);
export type NoteChange = Static<typeof NoteChange>;

const ifMatch = Type.Object({ 'if-match': Type.Optional(Type.String({ maxLength: 1_000 })) });

export const listNotes = {
  method: 'GET',
  url: '/api/notes',
  schema: {
    summary: 'Notes, newest first',
    querystring: Type.Object({
      ...PageQuery.properties,
      search: Type.Optional(
        Type.String({
          maxLength: 200,
          pattern: withoutNul,
          description: 'Words that must all occur; the last one may be the beginning of a word',
        }),
      ),
    }),
    response: { 200: NotePage, 400: Problem, 503: Problem },
  },
} as const;

export const createNote = {
  method: 'POST',
  url: '/api/notes',
  schema: { summary: 'Create a note', body: NewNote, response: { 201: Note, 400: Problem, 503: Problem } },
} as const;

export const readNote = {
  method: 'GET',
  url: '/api/notes/:id',
  schema: {
    summary: 'Read a note',
    params: Params,
    response: { 200: Note, 400: Problem, 404: Problem, 503: Problem },
  },
} as const;

export const changeNote = {
  method: 'PATCH',
  url: '/api/notes/:id',
  schema: {
    summary: 'Change a note that nobody else has changed since',
    params: Params,
    headers: ifMatch,
    body: NoteChange,
    response: { 200: Note, 400: Problem, 404: Problem, 412: Problem, 428: Problem, 503: Problem },
  },
} as const;

export const deleteNote = {
  method: 'DELETE',
  url: '/api/notes/:id',
  schema: {
    summary: 'Delete a note; it can be restored for a day',
    params: Params,
    headers: ifMatch,
    response: { 204: Type.Null(), 400: Problem, 404: Problem, 412: Problem, 503: Problem },
  },
} as const;

export const restoreNote = {
  method: 'POST',
  url: '/api/notes/:id/restore',
  schema: {
    summary: 'Undo the deletion of a note',
    params: Params,
    response: { 200: Note, 400: Problem, 404: Problem, 503: Problem },
  },
} as const;
