import { inGroup, setting } from '../setting.ts';
import { choice, hostNames, integer, LOOPBACK, listenAddresses, origin } from '../values.ts';

export const basics = inGroup('Basics', {
  environment: setting('NODE_ENV', choice('production', 'development', 'test'), {
    default: 'production',
    defaultText: '`production`; `development` under `npm start` and `npm run dev`',
    doc: 'Production requires a database and strong secrets. Development starts its own PostgreSQL and makes its secrets.',
  }),
  listen: {
    port: setting('PORT', integer(0, 65_535), {
      default: 5000,
      doc: 'The one port of the application. 0 takes any free one.',
    }),
    hosts: setting('HOST', listenAddresses, {
      default: ({ environment, platform }) =>
        environment === 'production' || platform.replit || platform.container ? ['0.0.0.0'] : LOOPBACK,
      defaultText: '`127.0.0.1,::1` in development outside Replit and containers, else `0.0.0.0`',
      doc: 'The addresses to listen on. `HOSTNAME` is never read, because containers set it to their own name.',
    }),
  },
  publicUrl: setting('PUBLIC_URL', origin, {
    doc: 'The address that visitors use, such as `https://app.example.com`, for links that leave the server.',
  }),
  allowedHosts: setting('ALLOWED_HOSTS', hostNames, {
    default: [],
    defaultText: 'any host in production; the loopback names in development',
    doc: "Requests with any other `Host` are refused, except probes. `PUBLIC_URL`'s host is always allowed; in development also the loopback names and a Replit workspace's `REPLIT_DEV_DOMAIN`.",
  }),
});
