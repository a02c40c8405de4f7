import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { changeNote, createNote, deleteNote, listNotes, readNote, restoreNote } from '#contracts/notes.ts';
import { before, pageOf } from '../../platform/lib/cursor.ts';
import { etagOf, readIfMatch } from '../../platform/lib/etag.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Events, Scope } from '../../platform/parts.ts';
import { NoteQueries, type Owner } from './queries.ts';
import { toPrefixQuery } from './search.ts';

/** The routes of `/api/notes`. */
export const noteRoutes: FastifyPluginAsyncTypebox<{
  db: NodePgDatabase;
  events?: Events | undefined;
}> = async (app, { db, events }) => {
  const queries = new NoteQueries(db, app.log, events);

  app.route({
    ...listNotes,
    config: { access: { permission: 'notes:read' }, compress: true },
    async handler({ query: { search = '', cursor, limit = 20 }, scope }) {
      const words = toPrefixQuery(search);
      // What was typed holds no word at all: nothing can match, and all notes would be a lie.
      if (words === undefined && search.trim() !== '') return { items: [], nextCursor: null };
      const page = { words, before: before(cursor), limit: limit + 1 };
      return pageOf(await queries.list({ owner: ownerIn(scope), ...page }), limit, written);
    },
  });

  app.route({
    ...createNote,
    config: { access: { permission: 'notes:write' } },
    async handler({ body, scope }, reply) {
      const note = await queries.create(ownerIn(scope), body);
      return reply
        .code(201)
        .headers({ etag: etagOf(note), location: `/api/notes/${note.id}` })
        .send(written(note));
    },
  });

  app.route({
    ...readNote,
    config: { access: { permission: 'notes:read' }, compress: true },
    async handler({ params: { id }, scope }, reply) {
      const note = (await queries.read(ownerIn(scope), id)) ?? missing(id);
      reply.header('etag', etagOf(note));
      return written(note);
    },
  });

  app.route({
    ...changeNote,
    config: { access: { permission: 'notes:write' } },
    async handler({ params: { id }, headers, body, scope }, reply) {
      const owner = ownerIn(scope);
      const versions = readIfMatch(headers['if-match']);
      if (versions === undefined) {
        throw new ProblemError(
          'precondition-required',
          'Send If-Match with the ETag of the note that you have read.',
        );
      }
      const note = (await queries.change(owner, id, versions, body)) ?? (await missingOrChanged(owner, id));
      reply.header('etag', etagOf(note));
      return written(note);
    },
  });

  app.route({
    ...deleteNote,
    config: { access: { permission: 'notes:write' } },
    async handler({ params: { id }, headers, scope }, reply) {
      const owner = ownerIn(scope);
      const deleted = await queries.delete(owner, id, readIfMatch(headers['if-match']) ?? 'any');
      if (!deleted) await missingOrChanged(owner, id);
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...restoreNote,
    config: { access: { permission: 'notes:write' } },
    async handler({ params: { id }, scope }, reply) {
      const owner = ownerIn(scope);
      // Restoring twice is no error: the undo button may be pressed again after a lost answer.
      const note = (await queries.restore(owner, id)) ?? (await queries.read(owner, id)) ?? missing(id);
      reply.header('etag', etagOf(note));
      return written(note);
    },
  });

  async function missingOrChanged(owner: Owner, id: number): Promise<never> {
    const note = (await queries.read(owner, id)) ?? missing(id);
    throw new ProblemError(
      'precondition-failed',
      'The note has been changed since you read it. Read it again.',
      {
        headers: { etag: etagOf(note) },
      },
    );
  }
};

/** Without an identity all notes belong to nobody, and to everybody. */
const ownerIn = (scope: Scope | undefined): Owner => scope?.userId ?? '';

function missing(id: number): never {
  throw new ProblemError('not-found', `There is no note ${id}.`);
}

/** A row as it goes over the wire. */
function written<Row extends { createdAt: Date; updatedAt: Date }>(row: Row) {
  return { ...row, createdAt: row.createdAt.toISOString(), updatedAt: row.updatedAt.toISOString() };
}
