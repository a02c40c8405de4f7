import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { isPlaceholder } from './config-secrets.ts';
import type { Name, Values } from './config-settings.ts';
import type { Context } from './config-values.ts';

/** TLS to the database, in the form that `pg` hands to `tls.connect`. */
export interface DatabaseTls {
  rejectUnauthorized: boolean;
  ca?: string;
  cert?: string;
  key?: string;
  /** Present where the certificate's chain is verified but not the name in it (`verify-ca`). */
  checkServerIdentity?: () => undefined;
}

/** Everything that `pg` needs to connect, resolved; it is a `pg.ClientConfig`. */
export interface DatabaseConnection {
  /** A name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  ssl: false | DatabaseTls;
  sslnegotiation?: 'direct';
  enableChannelBinding?: boolean;
  options?: string;
}

export interface DatabaseSettings {
  /** No database is configured, and this is not production: start the embedded one. */
  embedded: boolean;
  connection: DatabaseConnection | undefined;
  /** Past a transaction pooler, for migrations. */
  direct: DatabaseConnection | undefined;
  /** The address looks like that of a transaction pooler. */
  poolerHint: boolean;
  poolSize: number;
  idleTimeoutMs: number;
  connectTimeoutMs: number;
  statementTimeoutMs: number;
  preparedStatements: 'auto' | boolean;
  migrateOnStart: boolean;
}

/** Where rules that concern several settings leave their findings. */
export interface Report {
  problem(variable: Name, problem: string, remedy: string): void;
  warn(text: string): void;
}

type SslMode = NonNullable<Values['PGSSLMODE']>;
const SSL_MODES: readonly string[] = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
];

/** What libpq, Prisma and hosted databases put into addresses, and needs nothing done here. */
const HARMLESS =
  /^(application_name|fallback_application_name|client_encoding|keepalives.*|target_session_attrs|load_balance_hosts|gss.*|krbsrvname|ssl(sni|compression|_min_protocol_version)|tcp_user_timeout|uselibpqcompat|require_auth|pool_timeout)$/;

const INSTEAD: Record<string, string> = {
  connect_timeout: 'DB_CONNECT_TIMEOUT_MS',
  connection_limit: 'DB_POOL_SIZE',
  statement_timeout: 'DB_STATEMENT_TIMEOUT_MS',
  schema: "the role's search_path",
};

/**
 * Resolves the database from `DATABASE_URL`, `DATABASE_DIRECT_URL` and the `PG…` variables.
 *
 * @param folder What relative paths of certificates start from.
 * @param env The process's environment: like libpq, the system's user is the last resort for the role.
 */
export function resolveDatabase(
  values: Values,
  context: Context,
  folder: string,
  env: NodeJS.ProcessEnv,
  report: Report,
): DatabaseSettings {
  const { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl } = values;
  const configured = url !== undefined || values.PGHOST !== undefined || values.PGDATABASE !== undefined;
  const reader = { values, context, folder, env, report };
  const connection = configured ? connect('DATABASE_URL', url, undefined, reader) : undefined;
  const direct = directUrl ? connect('DATABASE_DIRECT_URL', directUrl, connection, reader) : undefined;
  const production = context.environment === 'production';

  if (!configured && production) {
    const where = context.platform.replit
      ? 'On Replit: open Database in the tools, create one, and publish again.'
      : 'Set DATABASE_URL=postgres://user:password@host:5432/database, or DATABASE_URL_FILE to a file that holds it.';
    const elsewhere = 'NODE_ENV=development starts an embedded one, for trying out.';
    report.problem('DATABASE_URL', 'is not set, and production needs a database', `${where} ${elsewhere}`);
  }
  if (
    production &&
    connection?.password &&
    isPlaceholder(connection.password) &&
    !isLoopback(connection.host)
  ) {
    report.warn(
      `the password of the database at ${connection.host} is a placeholder: change the role's password.`,
    );
  }
  const poolerHint = connection !== undefined && looksLikePooler(connection, url);
  if (poolerHint && !direct && values.MIGRATE_ON_START) {
    report.warn(
      `${connection.host}:${connection.port} looks like a transaction pooler, through which migrations cannot hold their lock: set DATABASE_DIRECT_URL to the address past it.`,
    );
  }
  return {
    embedded: !configured && !production,
    connection,
    direct,
    poolerHint,
    poolSize: values.DB_POOL_SIZE,
    idleTimeoutMs: values.DB_IDLE_TIMEOUT_MS,
    connectTimeoutMs: values.DB_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: values.DB_STATEMENT_TIMEOUT_MS,
    preparedStatements: values.DB_PREPARED_STATEMENTS,
    migrateOnStart: values.MIGRATE_ON_START,
  };
}

interface Reader {
  values: Values;
  context: Context;
  folder: string;
  env: NodeJS.ProcessEnv;
  report: Report;
}

function connect(
  variable: 'DATABASE_URL' | 'DATABASE_DIRECT_URL',
  text: string | undefined,
  main: DatabaseConnection | undefined,
  reader: Reader,
): DatabaseConnection | undefined {
  const { values, env, report } = reader;
  const url = text === undefined ? undefined : parseAddress(variable, text, report);
  if (text !== undefined && !url) return undefined;
  const parameters = url?.searchParams ?? new URLSearchParams();
  const { host: authority, database: path } = url ? authorityOf(url) : { host: '', database: '' };

  const portText = parameters.get('port') ?? url?.port;
  const port = portText ? Number(portText) : (values.PGPORT ?? 5432);
  if (!(Number.isInteger(port) && port > 0 && port < 65_536)) {
    report.problem(variable, 'has a port that is none', 'Write host:5432.');
    return undefined;
  }
  const host = parameters.get('host') || authority || values.PGHOST || 'localhost';
  if (host.includes(',')) {
    report.problem(
      variable,
      'names several hosts',
      'Name one: the address that always leads to the primary.',
    );
    return undefined;
  }
  if (variable === 'DATABASE_URL' && authority && values.PGHOST && values.PGHOST !== authority) {
    report.warn(`PGHOST (${values.PGHOST}) is not used: DATABASE_URL names ${authority}.`);
  }
  const user =
    parameters.get('user') ||
    decode(url?.username) ||
    values.PGUSER ||
    main?.user ||
    env.USER ||
    env.USERNAME ||
    'postgres';
  for (const name of parameters.keys()) {
    if (USED.has(name) || HARMLESS.test(name)) continue;
    const instead = INSTEAD[name] ? `: use ${INSTEAD[name]}` : '';
    if (!(name === 'schema' && parameters.get(name) === 'public')) {
      report.warn(`the parameter ${name} of ${variable} is not used${instead}.`);
    }
  }
  const ssl = resolveTls(variable, host, parameters, reader);
  if (ssl === undefined) return undefined;
  const directTls = parameters.get('sslnegotiation') === 'direct';
  if (directTls && !ssl) {
    report.problem(variable, 'asks for sslnegotiation=direct without TLS', 'Add sslmode=verify-full.');
  }
  const options = parameters.get('options');
  return {
    host,
    port,
    user,
    password: parameters.get('password') || decode(url?.password) || values.PGPASSWORD || main?.password,
    database: parameters.get('dbname') || path || values.PGDATABASE || main?.database || user,
    ssl,
    ...(directTls && { sslnegotiation: 'direct' }),
    ...(ssl && parameters.get('channel_binding') === 'require' && { enableChannelBinding: true }),
    ...(options && { options }),
  };
}

const USED = new Set(
  'host port user password dbname options sslmode ssl sslrootcert sslcert sslkey sslnegotiation channel_binding pgbouncer'.split(
    ' ',
  ),
);

function parseAddress(variable: Name, text: string, report: Report): URL | undefined {
  const encode = `Percent-encode user and password: node -p "encodeURIComponent('…')".`;
  if (!/^postgres(ql)?:\/\//.test(text)) {
    const quoted = /^['"]/.test(text) ? ' Leave the quotation marks out.' : '';
    const remedy = `Write postgres://user:password@host:5432/database.${quoted}`;
    report.problem(variable, 'does not start with postgres:// or postgresql://', remedy);
    return undefined;
  }
  // WHATWG URLs allow no credentials without a host, which is how addresses of Unix sockets are written.
  const url = URL.parse(text) ?? URL.parse(text.replace('@/', `@${NO_HOST}/`));
  if (!url) {
    report.problem(
      variable,
      'cannot be parsed as an address; often a password holds one of / ? # @ : %',
      encode,
    );
  } else if (url.hash) {
    report.problem(variable, 'has a # in it, after which everything would be lost', encode);
  } else {
    return url;
  }
  return undefined;
}

const NO_HOST = 'host.missing.invalid';

/** Host and database; a host may be a percent-encoded folder, and an IPv6 address stands in brackets. */
function authorityOf(url: URL): { host: string; database: string } {
  const host = url.hostname === NO_HOST ? '' : decode(url.hostname).replace(/^\[(.+)\]$/, '$1');
  return { host, database: decode(url.pathname.slice(1)) };
}

/** A percent sign that encodes nothing stands for itself. */
function decode(text = ''): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * What `sslmode` means here is what libpq documents (https://www.postgresql.org/docs/current/libpq-ssl.html), except
 * where libpq would try one way and fall back to another, which `pg` cannot: `allow` and `prefer` are plain text to
 * loopback and private hosts, and TLS without verification to public ones.
 *
 * @returns `undefined` when a problem was reported.
 */
function resolveTls(
  variable: Name,
  host: string,
  parameters: URLSearchParams,
  { values, context, folder, report }: Reader,
): false | DatabaseTls | undefined {
  const near = isPrivateHost(host);
  const given = parameters.get('sslmode') ?? SSL_FLAG[parameters.get('ssl') ?? ''] ?? values.PGSSLMODE;
  if (given !== undefined && !SSL_MODES.includes(given)) {
    report.problem(variable, `has an unknown sslmode, '${given}'`, `Use one of ${SSL_MODES.join(', ')}.`);
    return undefined;
  }
  const root = parameters.get('sslrootcert') ?? values.PGSSLROOTCERT;
  let ca: string | undefined;
  const file = (name: Name, path: string): string | undefined => {
    try {
      return readFileSync(resolve(folder, path), 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      report.problem(
        name,
        `names a file that cannot be read: ${path} (${code})`,
        'Correct the path, or mount the file.',
      );
      return undefined;
    }
  };
  if (values.DATABASE_CA?.includes('-----BEGIN')) ca = values.DATABASE_CA.replaceAll('\\n', '\n');
  else if (values.DATABASE_CA) ca = file('DATABASE_CA', values.DATABASE_CA);
  else if (root && root !== 'system')
    ca = file(parameters.has('sslrootcert') ? variable : 'PGSSLROOTCERT', root);
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    const name = values.DATABASE_CA
      ? 'DATABASE_CA'
      : parameters.has('sslrootcert')
        ? variable
        : 'PGSSLROOTCERT';
    report.problem(
      name,
      'holds no PEM certificate',
      'Give the text between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----, or a file with it.',
    );
    return undefined;
  }

  const verifyByDefault =
    ca !== undefined || root === 'system' || (context.environment === 'production' && !near);
  const mode = (given as SslMode | undefined) ?? (verifyByDefault ? 'verify-full' : 'prefer');
  if (mode === 'disable' || host.startsWith('/')) {
    if (ca) report.warn(`a certificate authority is given, but the connection of ${variable} uses no TLS.`);
    return false;
  }
  if ((mode === 'allow' || mode === 'prefer') && near && !ca) return false;

  const cert = parameters.get('sslcert') ?? values.PGSSLCERT;
  const key = parameters.get('sslkey') ?? values.PGSSLKEY;
  const verified = mode.startsWith('verify') || (mode === 'require' && ca !== undefined);
  const nameUnchecked = ca !== undefined && (mode === 'verify-ca' || mode === 'require');
  if (mode === 'verify-ca' && ca === undefined) {
    report.warn(
      `sslmode=verify-ca without DATABASE_CA is read as verify-full: any public authority would do otherwise.`,
    );
  }
  return {
    rejectUnauthorized: verified,
    ...(ca !== undefined && { ca }),
    ...(cert && { cert: file(parameters.has('sslcert') ? variable : 'PGSSLCERT', cert) }),
    ...(key && { key: file(parameters.has('sslkey') ? variable : 'PGSSLKEY', key) }),
    ...(nameUnchecked && { checkServerIdentity: () => undefined }),
  };
}

/** `ssl=` in an address is JDBC's and node-postgres's way to say it; both verify. */
const SSL_FLAG: Record<string, SslMode> = {
  true: 'verify-full',
  1: 'verify-full',
  false: 'disable',
  0: 'disable',
  'no-verify': 'no-verify',
};

function looksLikePooler({ host, port }: DatabaseConnection, url = ''): boolean {
  return (
    port === 6432 ||
    /[?&]pgbouncer=true\b/.test(url) ||
    host.includes('-pooler') ||
    isSupabasePooler(host, port)
  );
}

/** Supabase's pooler pools by transaction on 6543 and by session on 5432. */
const isSupabasePooler = (host: string, port: number) => port === 6543 && /(^|\.)pooler\./.test(host);

const isLoopback = (host: string) =>
  host.startsWith('/') ||
  host === '::1' ||
  host === '0.0.0.0' ||
  /^127\./.test(host) ||
  /(^|\.)localhost$/.test(host);

/**
 * True for hosts that a stranger on the internet cannot stand in front of: sockets, loopback, private (RFC 1918,
 * RFC 4193) and link-local addresses, names of one label, and the domains that no public resolver answers for.
 */
export function isPrivateHost(name: string): boolean {
  const host = name
    .toLowerCase()
    .replace(/^::ffff:(?=[\d.]+$)/, '')
    .replace(/\.$/, '');
  if (isLoopback(host)) return true;
  if (isIP(host) === 6) return /^(f[cd][\da-f]{2}|fe[89ab][\da-f]):/.test(host);
  if (isIP(host) === 4) return /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
  return !host.includes('.') || /\.(internal|local|svc)$/.test(host);
}
