import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { takeProfile } from '#contracts/monitoring.ts';
import { ProblemError } from '../../lib/problem.ts';
import type { Lifecycle } from '../../lifecycle.ts';

/** A CPU profile of this process while it works, in the form that browser tools open. */
export const profile: FastifyPluginAsyncTypebox<{ instance: string; lifecycle: Lifecycle }> = async (
  app,
  { instance, lifecycle },
) => {
  let running = false;

  app.route({
    ...takeProfile,
    // A HEAD would take a profile and throw it away.
    exposeHeadRoute: false,
    config: { untimed: true },
    async handler({ query: { seconds = 5 } }, reply) {
      if (running) {
        throw new ProblemError('conflict', 'A profile is being taken already. Try again when it has ended.');
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

  /** @returns The profile as JSON, of less time where the client leaves or the process is told to stop. */
  async function take(forMs: number, client: NodeJS.EventEmitter): Promise<string> {
    // Few processes are ever profiled.
    const { Session } = await import('node:inspector/promises');
    const inspector = new Session();
    inspector.connect();
    try {
      await inspector.post('Profiler.enable');
      await inspector.post('Profiler.start');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(end, forMs);
        const unsubscribe = lifecycle.onTransition(end);
        client.once('close', end);
        function end() {
          clearTimeout(timer);
          unsubscribe();
          client.off('close', end);
          resolve();
        }
      });
      const { profile } = await inspector.post('Profiler.stop');
      return JSON.stringify(profile);
    } finally {
      inspector.disconnect();
    }
  }
};
