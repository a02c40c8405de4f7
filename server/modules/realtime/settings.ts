import { inGroup, setting } from '../../platform/config/setting.ts';
import { boolean } from '../../platform/config/values.ts';

export const realtimeSettings = inGroup('Requests', {
  realtime: {
    webSockets: setting('ENABLE_WEBSOCKETS', boolean, {
      default: false,
      doc: 'Answer `/api/events/socket` too: the events of `/api/events` over a WebSocket, for clients that change their topics often.',
    }),
  },
});
