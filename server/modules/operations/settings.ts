import { inGroup, setting } from '../../platform/config/setting.ts';
import { integer } from '../../platform/config/values.ts';

export const operationsSettings = inGroup('Database', {
  operations: {
    maxInstances: setting('MAX_INSTANCES', integer(1, 10_000), {
      default: 10,
      doc: 'How many processes may run at once: for the arithmetic of connections against what the database allows.',
    }),
  },
});
