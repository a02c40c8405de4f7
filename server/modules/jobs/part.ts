import type {} from '../../platform/http/metrics.ts';
import type { Jobs } from '../../platform/jobs.ts';
import type { Command, Events, Finding, Part, Platform } from '../../platform/parts.ts';
import { MAX_LATE_SECONDS, most, sum } from './figures.ts';
import { JobService } from './jobs.ts';
import { TOPIC } from './notice.ts';
import { defineReEncryption } from './re-encrypt.ts';
import { jobRoutes } from './routes.ts';
import type { jobsSettings } from './settings.ts';

/** A health check waits no longer for the database than this, in milliseconds. */
const CHECK_MS = 2_000;

/**
 * Jobs: work that outlives a request, kept in PostgreSQL. Features are handed it in `server/app.ts`, and define theirs by it
 * before the server starts.
 *
 * @param options.events Tells the pages of operators what has changed; without it they ask every 3 s.
 */
export function createJobs({
  events,
  ...platform
}: Platform<typeof jobsSettings> & { events?: Events }): Jobs & Part {
  const service = new JobService(platform, events);
  const { config, probeSources } = platform;
  const { lifecycle } = probeSources;
  let stopBy: number | undefined;
  lifecycle.onTransition(({ to }) => {
    if (to === 'ready') service.begin();
    if (to !== 'draining') return;
    stopBy = Date.now() + config.shutdown.timeoutMs;
    void service.stop(stopBy);
  });

  return {
    name: 'jobs',
    define: (definition) => service.define(definition),
    enqueue: (tx, job, input, options) => service.enqueue(tx, job, input, options),
    enqueueMany: (tx, job, inputs, options) => service.enqueueMany(tx, job, inputs, options),
    enqueueRows: (tx, job, queries, options) => service.enqueueRows(tx, job, queries, options),
    async routes(app) {
      service.figures.requests = () => app.observations.requests;
      await app.register(jobRoutes, { service });
    },
    eventTopics: { [TOPIC]: { access: 'operator' } },
    checks: [
      {
        name: 'jobs',
        required: false,
        timeoutMs: CHECK_MS,
        async run() {
          if (service.definitions.size === 0) return undefined;
          const queues = await service.figures.read();
          const details = {
            waiting: sum(({ waiting }) => waiting)(queues),
            running: sum(({ running }) => running)(queues),
            dead: sum(({ dead }) => dead)(queues),
            oldestSeconds: Math.round(most(({ oldestSeconds }) => oldestSeconds)(queues)),
          };
          const late = details.oldestSeconds > MAX_LATE_SECONDS;
          const wrong = [
            late && `a job has been due for ${details.oldestSeconds} s`,
            details.dead > 0 && `${details.dead} failed for good`,
          ].filter(Boolean);
          return { details, ...(wrong.length > 0 && { degraded: wrong.join('; ') }) };
        },
      },
    ],
    alertRules: service.figures.alertRules(),
    metrics: service.figures.metrics(),
    findings: [whereTheyRun(service)],
    commands: {
      worker: workerCommand(service),
      resync: resyncCommand(service),
      ...defineReEncryption(service),
    },
    async end() {
      service.notice.end();
      await service.stop(stopBy ?? Date.now());
    },
  };
}

const whereTheyRun = ({ definitions, platform: { config } }: JobService): Finding => ({
  name: 'jobs',
  title: 'Jobs',
  judge() {
    const { worker } = config.jobs;
    if (definitions.size === 0) return { status: 'pass', detail: 'No job is defined.' };
    if (!worker) return { status: 'pass', detail: 'They run apart: `main.js worker` must be running.' };
    const stopping = config.platform.replit === 'deployment';
    const long = [...definitions.values()].filter(({ timeoutMs }) => timeoutMs > config.shutdown.timeoutMs);
    if (stopping)
      return {
        status: 'warn',
        detail: 'They run in the server, which this platform stops when no request comes.',
        remedy:
          'Have a scheduler call POST /api/jobs/tick with the operators’ key, and run long jobs by `main.js worker` on a machine that stays.',
      };
    if (long.length > 0)
      return {
        status: 'warn',
        detail: `They run in the server, and these may take longer than a shutdown: ${long.map(({ name }) => name).join(', ')}.`,
        remedy:
          'Give them steps, which a restart does not repeat, or run `main.js worker` and set WORKER=off.',
      };
    return { status: 'pass', detail: 'They run in the server, and end within a shutdown.' };
  },
});

const workerCommand = (service: JobService): Command => ({
  help: 'runs jobs until it is stopped; the servers beside it have WORKER=off',
  keepsRunning: true,
  async run(_args, signal, ready) {
    const { log, config } = service.platform;
    const begun = () => {
      log.info({ jobs: service.definitions.size }, 'ready: running jobs');
      ready();
    };
    if (service.definitions.size === 0) {
      log.warn('no job is defined: this worker has nothing to do');
      begun();
    }
    service.begin(true, begun);
    // Nothing else need keep the process while no job runs.
    const awake = setInterval(() => {}, 2 ** 31 - 1);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    clearInterval(awake);
    await service.stop(Date.now() + config.shutdown.timeoutMs);
    return 0;
  },
});

const resyncCommand = (service: JobService): Command => ({
  help: 'NAME [INPUT as JSON]: enqueues a job that pulls from a service, at once',
  async run([name = '', text]) {
    const definition = service.definitions.get(name);
    if (definition?.pullsFrom === undefined) {
      const pulling = [...service.definitions.values()].filter(({ pullsFrom }) => pullsFrom !== undefined);
      const known = pulling.map((one) => `  ${one.name}: from ${one.pullsFrom}`).join('\n');
      console.error(`No job '${name}' pulls from a service. There are:\n${known || '  none'}`);
      return 1;
    }
    const input = text === undefined ? (definition.schedule?.input ?? {}) : JSON.parse(text);
    const { database } = service.platform;
    const id = await database.transaction((tx) => service.enqueue(tx, { name }, input));
    console.log(id === undefined ? `${name} is queued or runs already.` : `enqueued ${name} ${id}`);
    return 0;
  },
});
