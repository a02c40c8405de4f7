import { inGroup, type Parser, setting } from '../setting.ts';
import { boolean, choice, integer, milliseconds, text } from '../values.ts';

/** libpq's, and node-postgres's `no-verify`: TLS without verification, even if an authority is given. */
export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
] as const;

const autoOrBoolean: Parser<'auto' | boolean> = {
  kind: '`auto`, `true` or `false`',
  parse: (value, ...more) => (/^auto$/i.test(value) ? 'auto' : boolean.parse(value, ...more)),
};

/** The database's address; `config/database.ts` makes connections of it. */
export const databaseAddress = inGroup('Database', {
  url: setting('DATABASE_URL', text('`postgres://user:password@host:5432/database`'), {
    secret: 'url',
    defaultText:
      'a PostgreSQL that `npm start` and `npm run dev` start in development; required in production',
    doc: 'The database. What the address leaves out is taken from the `PG…` variables, as libpq does.',
  }),
  directUrl: setting('DATABASE_DIRECT_URL', text('as `DATABASE_URL`'), {
    secret: 'url',
    aliases: ['DIRECT_URL', 'DATABASE_URL_UNPOOLED'],
    doc: 'The same database past a transaction pooler. Migrations use it, because they hold a lock for a whole session, and so does the connection that listens for notifications.',
  }),
  ca: setting('DATABASE_CA', text('PEM text, or the path of a PEM file'), {
    aliases: ['DATABASE_CA_CERT'],
    doc: "The certificate authority of the database's certificate, if it is not a public one. Turns verification on.",
  }),
  host: setting('PGHOST', text('a host name, an address, or the folder of a socket'), {
    doc: 'The host, if `DATABASE_URL` is unset or has none. Likewise every `PG…` variable below.',
  }),
  port: setting('PGPORT', integer(1, 65_535), { defaultText: '`5432`', doc: "The database's port." }),
  user: setting('PGUSER', text('a role'), {
    defaultText: "the system's user",
    doc: 'The role to connect as.',
  }),
  password: setting('PGPASSWORD', text('a password'), { secret: 'value', doc: "The role's password." }),
  database: setting('PGDATABASE', text('a name'), {
    defaultText: "the role's name",
    doc: 'The database to use.',
  }),
  sslMode: setting('PGSSLMODE', choice(...SSL_MODES), {
    defaultText: '`verify-full` in production for hosts that are neither loopback nor private, else `prefer`',
    doc: 'As `sslmode` in `DATABASE_URL`; see *TLS to the database*.',
  }),
  sslRootCert: setting('PGSSLROOTCERT', text('a path, or `system`'), {
    doc: 'As `sslrootcert` in `DATABASE_URL`.',
  }),
  sslCert: setting('PGSSLCERT', text('a path'), {
    doc: 'A client certificate, as `sslcert` in `DATABASE_URL`.',
  }),
  sslKey: setting('PGSSLKEY', text('a path'), { doc: 'Its private key, as `sslkey` in `DATABASE_URL`.' }),
});

export const database = inGroup('Database', {
  poolSize: setting('DB_POOL_SIZE', integer(1, 1000), {
    default: 20,
    aliases: ['DATABASE_POOL_SIZE', 'DB_POOL_MAX'],
    doc: "The most connections of one process. Times the number of processes it must stay below the database's own limit.",
  }),
  idleTimeoutMs: setting('DB_IDLE_TIMEOUT_MS', milliseconds(), {
    default: 10_000,
    doc: 'An unused connection is closed after this time, so that a managed database can sleep.',
  }),
  connectTimeoutMs: setting('DB_CONNECT_TIMEOUT_MS', milliseconds(), {
    default: 8000,
    doc: 'How long one attempt to connect may take. A sleeping managed database needs some seconds to wake.',
  }),
  statementTimeoutMs: setting('DB_STATEMENT_TIMEOUT_MS', milliseconds(), {
    default: 30_000,
    doc: 'How long one statement may run. Migrations are exempt.',
  }),
  preparedStatements: setting('DB_PREPARED_STATEMENTS', autoOrBoolean, {
    default: 'auto',
    doc: 'Prepare frequent queries once and run them by name. `auto`: except behind a transaction pooler.',
  }),
  migrateOnStart: setting('MIGRATE_ON_START', boolean, {
    default: true,
    doc: 'Apply pending migrations at start. With `false` pending ones keep `/ready` at 503 until `npm run db:migrate` has run.',
  }),
  migrateAdopt: setting('MIGRATE_ADOPT', choice('record', 'run'), {
    defaultText: 'stop with exit code 70 and ask',
    doc: 'For one start over tables that hold rows and have no journal of migrations: `record` pending changes of rows as done, or `run` them.',
  }),
});
