import type { Part, Platform } from '../../platform/parts.ts';
import { otherPaths } from './other-paths.ts';
import { operationsRoutes } from './routes.ts';
import type { operationsSettings } from './settings.ts';

/** Operations: the API of the screen `/ops` with figures, log, alerts, settings and production readiness. */
export const operations = (platform: Platform<typeof operationsSettings>): Part => ({
  name: 'operations',
  signInPath: '/ops',
  async routesInEveryState(app, brought) {
    await app.register(operationsRoutes, { ...platform, ...brought });
    await app.register(otherPaths);
  },
});
