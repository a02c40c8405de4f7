import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { changeNote, createNote, deleteNote, listNotes, readNote, restoreNote } from '#contracts/notes.ts';
import { decodeCursor, encodeCursor } from '../../platform/lib/cursor.ts';
import { etagOf, readIfMatch } from '../../platform/lib/etag.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Events } from '../../platform/parts.ts';
import { NoteQueries } from './queries.ts';
import { toPrefixQuery } from './search.ts';

/** The routes of `/api/notes`. */
export const noteRoutes: FastifyPluginAsyncTypebox<{
  db: NodePgDatabase;
  events?: Events | undefined;
}> = async (app, { db, events }) => {
  const queries = new NoteQueries(db, app.log, events);

  app.route({
    ...listNotes,
    config: { access: 'user', compress: true },
    async handler({ query: { search = '', cursor, limit = 20 } }) {
      const words = toPrefixQuery(search);
      // What was typed holds no word at all: nothing can match, and all notes would be a lie.
      if (words === undefined && search.trim() !== '') return { items: [], nextCursor: null };
      const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeCursor(cursor);
      // One more than asked for tells whether there is a next page.
      const rows = await queries.list({ words, before, limit: limit + 1 });
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map(written),
        nextCursor: rows.length > limit && last ? encodeCursor(last.id) : null,
      };
    },
  });

  app.route({
    ...createNote,
    config: { access: 'user' },
    async handler({ body }, reply) {
      const note = await queries.create(body);
      return reply
        .code(201)
        .headers({ etag: etagOf(note), location: `/api/notes/${note.id}` })
        .send(written(note));
    },
  });

  app.route({
    ...readNote,
    config: { access: 'user', compress: true },
    async handler({ params: { id } }, reply) {
      const note = (await queries.read(id)) ?? missing(id);
      reply.header('etag', etagOf(note));
      return written(note);
    },
  });

  app.route({
    ...changeNote,
    config: { access: 'user' },
    async handler({ params: { id }, headers, body }, reply) {
      const versions = readIfMatch(headers['if-match']);
      if (versions === undefined) {
        throw new ProblemError(
          'precondition-required',
          'Send If-Match with the ETag of the note that you have read.',
        );
      }
      const note = (await queries.change(id, versions, body)) ?? (await missingOrChanged(id));
      reply.header('etag', etagOf(note));
      return written(note);
    },
  });

  app.route({
    ...deleteNote,
    config: { access: 'user' },
    async handler({ params: { id }, headers }, reply) {
      const deleted = await queries.delete(id, readIfMatch(headers['if-match']) ?? 'any');
      if (!deleted) await missingOrChanged(id);
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...restoreNote,
    config: { access: 'user' },
    async handler({ params: { id } }, reply) {
      // Restoring twice is no error: the undo button may be pressed again after a lost answer.
      const note = (await queries.restore(id)) ?? (await queries.read(id)) ?? missing(id);
      reply.header('etag', etagOf(note));
      return written(note);
    },
  });

  async function missingOrChanged(id: number): Promise<never> {
    const note = (await queries.read(id)) ?? missing(id);
    throw new ProblemError(
      'precondition-failed',
      'The note has been changed since you read it. Read it again.',
      {
        headers: { etag: etagOf(note) },
      },
    );
  }
};

function missing(id: number): never {
  throw new ProblemError('not-found', `There is no note ${id}.`);
}

/** A row as it goes over the wire. */
function written<Row extends { createdAt: Date; updatedAt: Date }>(row: Row) {
  return { ...row, createdAt: row.createdAt.toISOString(), updatedAt: row.updatedAt.toISOString() };
}
