import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { Type } from 'typebox';
import { createApp as createOwn } from '../../../server/app.ts';
import type { Jobs } from '../../../server/platform/jobs.ts';
import type { Application, Platform } from '../../../server/platform/parts.ts';
import type { settings } from '../../../server/settings.ts';

const Input = Type.Object({ n: Type.Integer(), ms: Type.Integer() });

/** The application, with jobs of the tests' own. */
export function createApp(platform: Platform<typeof settings>): Application {
  const own = createOwn(platform);
  const jobs = own.modules.find(({ name }) => name === 'jobs') as unknown as Jobs;
  const mark = (n: number, what: string) =>
    platform.db.execute(sql`insert into marks (n, what, pid) values (${n}, ${what}, ${process.pid})`);

  const work = jobs.define({
    name: 'work',
    input: Input,
    async run({ input: { n, ms }, signal, progress }) {
      progress(n, 10, 'begun');
      await mark(n, 'begun');
      await sleep(ms, undefined, { signal });
      await mark(n, 'done');
    },
  });
  const nothing = jobs.define({ name: 'nothing', input: Input, async run() {} });
  const stepwise = jobs.define({
    name: 'stepwise',
    input: Input,
    async run({ input: { n, ms }, step, signal }) {
      for (const name of ['one', 'two', 'three']) {
        await step(name, async () => {
          await sleep(ms, undefined, { signal });
          await mark(n, name);
        });
      }
      await mark(n, 'done');
    },
  });
  jobs.define({
    name: 'poison',
    input: Input,
    retries: 0,
    async run({ input: { n } }) {
      await mark(n, 'begun');
      process.kill(process.pid, 'SIGKILL');
    },
  });
  jobs.define({
    name: 'doomed',
    input: Input,
    retries: 0,
    schedule: { cron: '0 3 1 1 *', timeZone: 'Europe/Berlin', input: { n: 1, ms: 1 } },
    run: () =>
      platform.resilience.executeWithFullProtection('printer', () => {
        throw new Error('the printer is on fire');
      }),
  });
  return {
    ...own,
    features: [
      ...own.features,
      {
        name: 'marks',
        async routes(app) {
          app.get('/api/marks', { config: { access: 'public' } }, async () => {
            const { rows } = await platform.db.execute(sql`select * from marks order by at desc limit 20`);
            return rows;
          });
          app.route<{ Querystring: { job: string; count: number; ms: number; from: number; inMs: number } }>({
            method: 'POST',
            url: '/api/marks',
            config: { access: 'public' },
            schema: {
              querystring: Type.Object({
                job: Type.String(),
                count: Type.Integer(),
                ms: Type.Integer(),
                from: Type.Integer({ default: 0 }),
                inMs: Type.Integer({ default: 0 }),
              }),
            },
            async handler({ query: { job, count, ms, from, inMs } }, reply) {
              const named = { work, stepwise, nothing }[job] ?? { name: job };
              const inputs = Array.from({ length: count }, (_, n) => ({ n: from + n, ms }));
              const options = inMs > 0 ? { at: new Date(Date.now() + inMs) } : {};
              const added = await platform.database.transaction((tx) =>
                jobs.enqueueMany(tx, named, inputs, options),
              );
              return reply.code(201).send({ added });
            },
          });
        },
      },
    ],
  };
}
