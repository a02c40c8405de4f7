import { inGroup, setting } from '../../platform/config/setting.ts';
import { boolean, integer, milliseconds } from '../../platform/config/values.ts';

export const jobsSettings = inGroup('Jobs', {
  jobs: {
    worker: setting('WORKER', boolean, {
      default: true,
      doc: 'Run jobs in the server itself. With `off` they are run by `main.js worker`, as a process of its own.',
    }),
    concurrency: setting('JOBS_CONCURRENCY', integer(1, 1_000), {
      default: 10,
      doc: 'Jobs that one process runs at once.',
    }),
    timeoutMs: setting('JOBS_TIMEOUT_MS', milliseconds(100, 86_400_000), {
      default: 60_000,
      doc: 'How long one attempt may take, where the job says nothing else.',
    }),
    retries: setting('JOBS_RETRIES', integer(0, 100), {
      default: 3,
      doc: 'Attempts after a first that failed, where the job says nothing else.',
    }),
  },
});
