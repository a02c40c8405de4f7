import { inGroup, setting } from '../../platform/config/setting.ts';
import { choice } from '../../platform/config/values.ts';

export const adoptionSettings = inGroup('Database', {
  migrateAdopt: setting('MIGRATE_ADOPT', choice('record', 'run'), {
    defaultText: 'stop with exit code 70 and ask',
    doc: 'For one start over tables that hold rows and have no journal of migrations: `record` pending changes of rows as done, or `run` them.',
  }),
});
