import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { watchEvents } from '#contracts/realtime.ts';
import { encodeEvent, events } from '../../platform/http/event-stream.ts';
import type { Client, Transport } from './groups.ts';
import type { Hub } from './hub.ts';
import { readPosition } from './position.ts';
import { assertRules, judge, type Topics, writtenTopics } from './topics.ts';

/** The position is also the event's id, which a browser sends back when it connects again. */
const SERVER_SENT: Transport = {
  name: 'sse',
  encode: (message) => encodeEvent({ id: message.position, data: message }),
};

/** `/api/events`: one stream of events for all topics of a client. */
export const eventRoutes: FastifyPluginAsyncTypebox<{ hub: Hub; topics: Topics }> = async (
  app,
  { hub, topics },
) => {
  assertRules(app, topics);
  app.route({
    ...watchEvents,
    // Nobody could end a HEAD.
    exposeHeadRoute: false,
    // Each topic has an access of its own.
    config: { access: 'public', untimed: true },
    async handler(request, reply) {
      const wanted = writtenTopics(request.query.topics) ?? [];
      const { allowed, refused, reason } = await judge(app, topics, request, reply, wanted);
      if (reason && allowed.length === 0) throw reason;
      const after = readPosition(request.headers['last-event-id']?.toString() ?? request.query.after);
      const stream = events(reply);
      if (stream.closed.aborted) return;
      const client: Client = {
        transport: SERVER_SENT,
        topics: allowed,
        allowed: async () => (await judge(app, topics, request, reply, client.topics)).allowed,
        userId: () => request.scope?.userId,
        send: (message) => stream.send(message),
        end: () => stream.end(),
      };
      hub.join(client, after, refused);
      stream.onClose(() => hub.leave(client));
    },
  });
};
