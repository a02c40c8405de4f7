import type { Part, Platform } from '../../platform/parts.ts';
import { operationsRoutes } from './routes.ts';

/** Operations: what operators see and do at `/ops`: figures, log, alerts, settings, production readiness. */
export const operations = (platform: Platform): Part => ({
  name: 'operations',
  async routesInEveryState(app, brought) {
    await app.register(operationsRoutes, { ...platform, ...brought, instance: platform.about.instance });
  },
});
