import type { Part, Platform } from '../../platform/parts.ts';
import type { adoptionSettings } from './settings.ts';

/** Adopts tables that a platform such as Replit has made, without the journal of migrations. */
export const adoption = ({ config: { migrateAdopt } }: Platform<typeof adoptionSettings>): Part => ({
  name: 'adoption',
  async findAdoption(session, history, choice = migrateAdopt) {
    // Loaded where something is pending, which is not the usual start.
    const { findAdoption } = await import('./adopt.ts');
    return { ...(await findAdoption(session, history, choice)), choice };
  },
});
