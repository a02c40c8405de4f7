import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { createApp } from '../../server/app.ts';
import { loadConfig } from '../../server/platform/config/config.ts';
import type { Database } from '../../server/platform/database/pool/pool.ts';
import { HealthChecks } from '../../server/platform/health/health-checks.ts';
import { Lifecycle } from '../../server/platform/health/lifecycle.ts';
import { createPipeline } from '../../server/platform/http/pipeline.ts';
import type { SchemaCompilers } from '../../server/platform/http/schemas.ts';
import { mayUpgrade } from '../../server/platform/lib/upgrades.ts';
import { LogLines } from '../../server/platform/logging/log-lines.ts';
import { WITHOUT_SECRETS } from '../../server/platform/logging/logger.ts';
import type { Application, Identity, Part, Platform } from '../../server/platform/parts.ts';
import { createPlatform } from '../../server/platform/process/create-platform.ts';
import { settings as ownSettings } from '../../server/settings.ts';

/** The whole application in this process, on a real database: for tests to which the process is not the point. */
export interface TestApp extends AsyncDisposable {
  app: FastifyInstance;
  schemas: SchemaCompilers;
  lifecycle: Lifecycle;
  checks: HealthChecks;
  database: Database;
  /** The modules, as `createApp` made them. */
  modules: readonly Part[];
  features: readonly Part[];
  /** Its log lines so far. */
  lines: Record<string, unknown>[];
  /** Opens a port of the system's choice. @returns the address. */
  listen(): Promise<string>;
}

/**
 * Makes the application as it is in production, and ready unless `more.state` says otherwise.
 *
 * @param databaseUrl A database that holds what the test needs.
 * @param env More settings.
 * @param more What a server has that a person has started.
 */
export async function createTestApp(
  databaseUrl: string,
  env: Record<string, string> = {},
  more: Pick<Platform, 'signInToken'> & {
    /** Instead of the application's own. */
    identity?: Identity | 'none' | undefined;
    /** Composes the application, instead of server/app.ts. */
    compose?: typeof createApp;
    /** Features besides the application's own. */
    features?: readonly ((platform: Platform, own: Application) => Part)[];
    state?: 'starting' | 'ready';
  } = {},
): Promise<TestApp> {
  const { state = 'ready', compose = createApp, features = [], signInToken, identity } = more;
  const folder = await mkdtemp(join(tmpdir(), 'client-'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>the page</title>');
  // Tests ask more often than visitors do, and all of them from one address.
  const defaults = { NODE_ENV: 'production', DATABASE_URL: databaseUrl, RATE_LIMIT_MAX: '100000' };
  const loaded = loadConfig(ownSettings, { ...defaults, ...env }, folder, false);
  const { config } = loaded;
  const lines: Record<string, unknown>[] = [];
  const logLines = new LogLines();
  const log = pino(
    { level: config.log.level, ...WITHOUT_SECRETS },
    {
      write(line) {
        const written = JSON.parse(line);
        lines.push(written);
        logLines.add(Buffer.from(line), 1, written.level >= 50);
      },
    },
  );
  const lifecycle = new Lifecycle([]);
  const checks = new HealthChecks();
  const server: Server = createServer({
    requireHostHeader: false,
    // Another application in this process may have WebSockets.
    shouldUpgradeCallback: (request) => server.listenerCount('upgrade') > 0 && mayUpgrade(request),
  });
  const probeSources = { lifecycle, checks, version: '0', environment: config.environment };
  const made = createPlatform(loaded, 'test', { log, lines: logLines }, probeSources, {
    clientFolder: folder,
    signInToken,
  });
  const { clock, database, listener } = made;
  const about = { name: 'test', version: '0', instance: 'test-000000' };
  const platform: Platform<typeof ownSettings> = { ...made, config, about, folder };
  const own = compose(platform);
  const { app, handler, schemas } = await createPipeline({
    platform,
    application: {
      ...own,
      features: [...own.features, ...features.map((feature) => feature(platform, own))],
      identity: identity === 'none' ? undefined : (identity ?? own.identity),
    },
    server,
  });
  if (state === 'ready') lifecycle.to('ready');
  return {
    app,
    schemas,
    lifecycle,
    checks,
    database,
    modules: own.modules,
    features: own.features,
    lines,
    async listen() {
      server.on('request', handler);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
      await app.close();
      clock.end();
      await listener.close();
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}
