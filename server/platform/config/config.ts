import { join, resolve } from 'node:path';
import { type DatabaseSettings, isConfigured, resolveDatabase } from './database.ts';
import { warnAboutUnknownVariables } from './hints.ts';
import { allowedHosts } from './hosts.ts';
import { ConfigError } from './problems.ts';
import { type EffectiveSetting, Reader } from './reader.ts';
import { checkTogether } from './rules.ts';
import {
  type ConfigOf,
  type Declaration,
  type Platform,
  settingsOf,
  type UnknownSettings,
} from './setting.ts';
import { platformSettings } from './settings.ts';
import { LOOPBACK } from './values.ts';

type Stated = ConfigOf<typeof platformSettings>;

export interface ListenAddress {
  /** Addresses to listen on; two for `localhost`, one of each family. */
  hosts: string[];
  port: number;
  /**
   * Whether the next free port may replace one in use: in development without PORT. Not in a Replit workspace, whose preview
   * shows the one port that `.replit` names.
   */
  mayMove: boolean;
  /** The address for scrapers, if there is one. */
  metrics?: { hosts: string[]; port: number } | undefined;
}

/** The platform's configuration: the values of its settings, and what is derived from them. */
export interface PlatformConfig extends Omit<Stated, 'databaseAddress' | 'database' | 'listen'> {
  platform: Platform;
  /** Lower-case host names, `*.` for any subdomain; empty, in production alone: any host. */
  allowedHosts: string[];
  listen: ListenAddress;
  /** Absolute path of the folder that holds the secrets and the database of development. */
  dataDir: string;
  database: Stated['database'] & DatabaseSettings;
}

/** @typeParam Own What the application declares besides, as in `server/settings.ts`. */
export type Config<Own extends Declaration = UnknownSettings> = PlatformConfig & ConfigOf<Own>;

/** Settings of an application or of a part. Their names at the top are not those of the platform. */
export type OwnSettings = Declaration & { readonly [Name in keyof PlatformConfig | keyof Stated]?: never };

export interface LoadedConfig<Own extends Declaration = UnknownSettings> {
  config: Config<Own>;
  /** For the log, once it is open; they hold no secret. */
  warnings: string[];
  settings: EffectiveSetting[];
}

/**
 * The address to listen on, so that the port can open before anything else is loaded.
 *
 * It never throws: an invalid setting gets its default here, and is an error of {@link loadConfig} a moment later.
 *
 * @param env Variables of the process.
 * @param folder Where `.env` lies.
 * @param inContainer Whether this is a container, if that is known.
 */
export function readListenAddress(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = process.cwd(),
  inContainer?: boolean,
): ListenAddress {
  return listenAddress(new Reader(env, folder, inContainer));
}

/**
 * Reads every setting: from the environment, then `.env.production` (in production), then `.env`.
 *
 * In development a missing `SESSION_SECRET`, `INTERNAL_API_KEY` or `ENCRYPTION_KEY` is made and kept in the data folder.
 *
 * @param own The settings of the application; the platform's are read as well.
 * @param env Variables of the process.
 * @param folder Where `.env` and the data folder lie; relative paths start from it.
 * @param inContainer Whether this is a container, if that is known.
 * @throws ConfigError naming every problem at once.
 */
export function loadConfig<Own extends OwnSettings>(
  own: Own,
  env: NodeJS.ProcessEnv = process.env,
  folder: string = process.cwd(),
  inContainer?: boolean,
): LoadedConfig<Own> {
  const reader = new Reader(env, folder, inContainer);
  const { context, warnings, problems, settings } = reader;
  const declared = { ...platformSettings, ...own };
  const dataDir = resolve(folder, '.data');

  if (context.environment !== 'production') reader.makeMissing(declared, join(dataDir, 'secrets.json'));
  const { databaseAddress, ...stated } = reader.read(platformSettings);
  const ownConfig = reader.read(own);
  const config: PlatformConfig = {
    ...stated,
    platform: context.platform,
    allowedHosts: allowedHosts(stated, context.platform, env.REPLIT_DEV_DOMAIN),
    listen: listenAddress(reader),
    dataDir,
    database: {
      ...stated.database,
      ...resolveDatabase(databaseAddress, stated.database, env, reader),
    },
  };
  checkTogether(config, reader);
  reader.warnAboutAliases();
  warnAboutUnknownVariables(reader, settingsOf(declared), isConfigured(databaseAddress));
  if (problems.length > 0) throw new ConfigError(problems, warnings);
  return { config: { ...config, ...ownConfig }, warnings, settings };
}

function listenAddress(reader: Reader): ListenAddress {
  const { environment, platform } = reader.context;
  const { listen, metrics } = reader.read({
    listen: platformSettings.listen,
    metrics: platformSettings.metrics,
  });
  return {
    ...listen,
    mayMove: environment === 'development' && !reader.isGiven('PORT') && !platform.replit,
    // loadConfig reports one that equals PORT. In a container scrapers connect from outside.
    metrics:
      metrics.port === undefined || metrics.port === listen.port
        ? undefined
        : { hosts: metrics.hosts ?? (platform.container ? listen.hosts : LOOPBACK), port: metrics.port },
  };
}
