import { counter, gauge } from '../../platform/metrics/metrics.ts';
import type { Events, Part, Platform } from '../../platform/parts.ts';
import { Hub } from './hub.ts';
import { eventRoutes } from './routes.ts';
import type { realtimeSettings } from './settings.ts';
import { EventStore } from './store.ts';
import { type Topics, topicOf } from './topics.ts';

/** Realtime: tells open pages what has happened, over any number of replicas, from PostgreSQL alone. */
export function realtime({ config, db, listener, log }: Platform<typeof realtimeSettings>): Part & Events {
  const store = new EventStore(db, log);
  const hub = new Hub(store, listener, log);
  /** Unknown in a process that has no routes. */
  let topics: Topics | undefined;
  return {
    name: 'realtime',
    metrics: [
      gauge('realtime_streams', 'Clients that are sent events.', () => hub.clients),
      counter(
        'realtime_events_published_total',
        'Events that were committed by this process.',
        () => store.published,
      ),
      counter(
        'realtime_events_delivered_total',
        'Events that were sent, once for each client.',
        () => hub.delivered,
      ),
    ],
    async routes(app, brought) {
      topics = brought.eventTopics;
      await app.register(eventRoutes, { hub, topics });
      if (!config.realtime.webSockets) return;
      const { socketRoutes } = await import('./socket.ts');
      await app.register(socketRoutes, { hub, topics, publicUrl: config.publicUrl });
    },
    async publish(tx, topic, payload) {
      if (topics && !topicOf(topics, topic).declared) {
        throw new TypeError(`No part declares the topic '${topic}' in its eventTopics.`);
      }
      await store.write(tx, topic, payload);
    },
    identityChanged: (userId) => hub.identityChanged(userId),
    async end() {
      await store.flush();
      hub.end();
    },
  };
}
