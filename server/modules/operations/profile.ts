import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { takeProfile } from '#contracts/operations/deployment.ts';
import { ProblemError } from '../../platform/lib/problem.ts';

/** A CPU profile of this process, in the format of browser developer tools. */
export const profile: FastifyPluginAsyncTypebox<{ instance: string }> = async (app, { instance }) => {
  let running = false;

  app.route({
    ...takeProfile,
    // A HEAD request would take a profile and discard it.
    exposeHeadRoute: false,
    config: { access: 'operator', untimed: true },
    async handler({ query: { seconds = 5 } }, reply) {
      if (running) {
        throw new ProblemError('conflict', 'Another profile is being taken. Try again when it has ended.');
      }
      running = true;
      try {
        const taken = await take(seconds * 1_000, reply.raw);
        const at = new Date().toISOString().replace(/\W/g, '-').slice(0, 19);
        return reply
          .header('content-type', 'application/json; charset=utf-8')
          .header('content-disposition', `attachment; filename="${instance}-${at}.cpuprofile"`)
          .send(taken);
      } finally {
        running = false;
      }
    },
  });

  /** @returns The profile as JSON. It is shorter if the client disconnects or the process drains. */
  async function take(forMs: number, client: ServerResponse): Promise<string> {
    // Loaded late, because few processes are ever profiled.
    const { Session } = await import('node:inspector/promises');
    const inspector = new Session();
    inspector.connect();
    try {
      await inspector.post('Profiler.enable');
      await inspector.post('Profiler.start');
      const left = new AbortController();
      client.once('close', () => left.abort());
      if (client.destroyed) left.abort();
      const ended = AbortSignal.any([app.draining, left.signal]);
      await sleep(forMs, undefined, { signal: ended }).catch(() => {});
      const { profile } = await inspector.post('Profiler.stop');
      return JSON.stringify(profile);
    } finally {
      inspector.disconnect();
    }
  }
};
