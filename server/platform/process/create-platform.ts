import { dirname } from 'node:path';
import type { LoadedConfig } from '../config/config.ts';
import { Clock } from '../database/clock.ts';
import { openKeyring } from '../database/encryption/keys-in-use.ts';
import { Listener } from '../database/listener.ts';
import { createDatabase } from '../database/pool/pool.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import type { ServerLogger } from '../logging/logger.ts';
import type { Platform } from '../parts.ts';
import { createResilience } from '../resilience/resilience.ts';
import { about } from './about.ts';

/**
 * Makes what parts are handed. Nothing connects before it is used. The caller closes clock, listener and database, in this order.
 *
 * @param applicationName By which the database knows this process.
 */
export function createPlatform(
  { config, settings }: LoadedConfig,
  applicationName: string,
  { log, lines: logLines }: Pick<ServerLogger, 'log' | 'lines'>,
  probeSources: ProbeSources,
  forPages: Pick<Platform, 'clientFolder' | 'signInToken'>,
): Platform {
  const { direct, connection } = config.database;
  const database = createDatabase({ ...config.database, applicationName }, log);
  openKeyring(config.encryptionKeys, database.db, log);
  const listener = new Listener(
    {
      ...config.database,
      connection: direct ?? connection,
      applicationName: `${applicationName} listener`,
    },
    log,
  );
  return {
    config,
    settings,
    about,
    log,
    logLines,
    database,
    db: database.db,
    listener,
    clock: new Clock(log),
    probeSources,
    resilience: createResilience(config, log, probeSources.checks),
    // The one with the most writes.
    folder: config.log.file ? dirname(config.log.file) : config.diagnosticsDir,
    ...forPages,
  };
}
