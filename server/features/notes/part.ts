import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Events, Part } from '../../platform/parts.ts';
import { personalNotes } from './personal-data.ts';
import { noteRoutes } from './routes.ts';

/** Notes: the sample feature. Copy this folder for the first one of your own, then run `npm run strip notes lab`. */
export const notes = ({ db, events }: { db: NodePgDatabase; events?: Events }): Part => ({
  name: 'notes',
  permissions: {
    'notes:read': 'Read your notes.',
    'notes:write': 'Write, delete and restore your notes.',
  },
  // Each user's own: what is written is no other's business, not even that it is.
  eventTopics: {
    notes: { access: { permission: 'notes:read' }, mayRead: ({ scope }, key) => key === scope?.userId },
  },
  personalData: personalNotes(db),
  async routes(app) {
    await app.register(noteRoutes, { db, events });
  },
});
