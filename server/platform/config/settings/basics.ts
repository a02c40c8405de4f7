import { inGroup, setting } from '../setting.ts';
import { choice, integer, LOOPBACK, parseAllowedHosts, parseHosts, parseOrigin } from '../values.ts';

export const basics = inGroup('Basics', {
  environment: setting('NODE_ENV', choice('production', 'development', 'test'), {
    default: 'production',
    defaultText: '`production`; `development` under `npm start` and `npm run dev`',
    doc: 'Production demands a database and strong secrets. Development starts a PostgreSQL of its own and makes its secrets.',
  }),
  listen: {
    port: setting('PORT', integer(0, 65_535), {
      default: 5000,
      doc: 'The one port of the application. 0 takes any free one.',
    }),
    hosts: setting(
      'HOST',
      { kind: 'addresses, comma-separated', parse: parseHosts },
      {
        default: ({ environment, platform }) =>
          environment === 'production' || platform.replit || platform.container ? ['0.0.0.0'] : LOOPBACK,
        defaultText: '`127.0.0.1,::1` in development outside Replit and containers, else `0.0.0.0`',
        doc: 'The addresses to listen on. `HOSTNAME` is never read: containers set it to their own name.',
      },
    ),
  },
  /** An origin, such as `https://app.example.com`. */
  publicUrl: setting(
    'PUBLIC_URL',
    { kind: 'an origin', parse: parseOrigin },
    {
      doc: 'The address that visitors use, such as `https://app.example.com`, for links that leave the server.',
    },
  ),
  allowedHosts: setting(
    'ALLOWED_HOSTS',
    { kind: 'host names, comma-separated; `*.` stands for any subdomain', parse: parseAllowedHosts },
    {
      default: [],
      defaultText: 'any host in production; the loopback names in development',
      doc: "Requests under any other `Host` are refused, probes excepted. `PUBLIC_URL`'s host is always among them; in development also the loopback names and a Replit workspace's `REPLIT_DEV_DOMAIN`.",
    },
  ),
});
