/**
 * Runs a program of node_modules with DATABASE_URL set to the configured database, wherever its parts were configured.
 *
 * Usage: node scripts/with-database.ts <script> [arguments]
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadConfig } from '../server/platform/config/config.ts';
import type { DatabaseConnection } from '../server/platform/config/database.ts';
import { ConfigError } from '../server/platform/config/problems.ts';
import { settings } from '../server/settings.ts';

try {
  const { direct, connection } = loadConfig(settings).config.database;
  process.env.DATABASE_URL = addressOf(direct ?? connection);
  process.argv.splice(1, 1);
  await import(pathToFileURL(resolve(process.argv[1] ?? '')).href);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 78;
}

/** The configured database as one address. */
function addressOf(connection: DatabaseConnection): string {
  const { host, port, user, password = '', database, ssl } = connection;
  const [login, secret, name] = [user, password, database].map(encodeURIComponent);
  // pg reads a socket's folder from the query.
  const place = host.startsWith('/')
    ? `localhost:${port}`
    : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const url = new URL(`postgresql://${login}:${secret}@${place}/${name}`);
  if (host.startsWith('/')) url.searchParams.set('host', host);
  if (ssl) url.searchParams.set('sslmode', ssl.rejectUnauthorized ? 'verify-full' : 'no-verify');
  return url.href;
}
