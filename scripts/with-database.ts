/**
 * Runs a program of node_modules with DATABASE_URL set: to the configured database, or to the embedded one, which is
 * started, or joined where the application has it running.
 *
 * Usage: node scripts/with-database.ts <script> [arguments]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { loadConfig } from '../server/platform/config/config.ts';
import type { DatabaseConnection } from '../server/platform/config/database.ts';
import { ConfigError } from '../server/platform/config/problems.ts';
import { startEmbeddedPostgres } from '../server/platform/database/embedded/embedded.ts';
import { settings } from '../server/settings.ts';

// The terminal and the launcher send them to the program as well; this process only outlives it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child?.kill(signal));
let child: ReturnType<typeof spawn> | undefined;

try {
  const { config } = loadConfig(settings);
  const { database } = config;
  const embedded = database.embedded
    ? await startEmbeddedPostgres({
        dataDir: join(config.dataDir, 'postgres'),
        database: packageJson.name,
        log: (message) => console.error(message),
      })
    : undefined;
  try {
    child = spawn(process.execPath, process.argv.slice(2), {
      stdio: 'inherit',
      env: {
        ...process.env,
        DATABASE_URL: embedded?.url ?? addressOf(database.direct ?? database.connection),
      },
    });
    const [code] = await once(child, 'exit');
    process.exitCode = code ?? 1;
  } finally {
    await embedded?.release();
  }
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 78;
}

/** The configured database as one address, wherever its parts were configured. */
function addressOf(connection: DatabaseConnection | undefined): string {
  // The configuration is refused where there is neither this nor the embedded one.
  const { host, port, user, password = '', database, ssl } = connection as DatabaseConnection;
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
