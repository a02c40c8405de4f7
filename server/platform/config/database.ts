import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Reader } from './reader.ts';
import { isPlaceholder } from './secrets.ts';
import type { ConfigOf, NameOf } from './setting.ts';
import { type database, type databaseAddress, SSL_MODES } from './settings.ts';

type Address = ConfigOf<typeof databaseAddress>;
type Name = NameOf<typeof databaseAddress>;

/** TLS to the database, in the form that `pg` hands to `tls.connect`. */
export interface DatabaseTls {
  rejectUnauthorized: boolean;
  ca?: string;
  cert?: string;
  key?: string;
  /** Present if the certificate's chain is verified but not the name in it (`verify-ca`). */
  checkServerIdentity?: () => undefined;
}

/** Everything that `pg` needs to connect; it is a `pg.ClientConfig`. */
export interface DatabaseConnection {
  /** A name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  ssl: false | DatabaseTls;
  enableChannelBinding?: boolean;
  options?: string;
}

export interface DatabaseSettings {
  connection: DatabaseConnection;
  /** Past a transaction pooler, for migrations. */
  direct: DatabaseConnection | undefined;
  /** The address looks like that of a transaction pooler. */
  poolerHint: boolean;
}

/**
 * Resolves the database from `DATABASE_URL`, `DATABASE_DIRECT_URL` and the `PG…` variables.
 *
 * @param env The process's environment: like libpq, its user is the last resort for the role.
 */
export function resolveDatabase(
  address: Address,
  { migrateOnStart }: ConfigOf<typeof database>,
  env: NodeJS.ProcessEnv,
  report: Reader,
): DatabaseSettings {
  const { url, directUrl } = address;
  const configured = isConfigured(address);
  const production = report.context.environment === 'production';
  const given: Given = { address, env, report };
  const connection = configured ? parse(url ? 'DATABASE_URL' : 'PGHOST', url, undefined, given) : undefined;
  const direct = directUrl ? parse('DATABASE_DIRECT_URL', directUrl, connection, given) : undefined;

  if (!configured && !report.isRefused('DATABASE_URL')) {
    const set =
      'Set DATABASE_URL=postgres://user:password@host:5432/database, or DATABASE_URL_FILE to a file that holds it.';
    const remedy = report.context.platform.replit
      ? 'On Replit: open Database in the tools, create one, and publish again.'
      : `${set} For development, \`npm start\` and \`npm run dev\` start a PostgreSQL.`;
    report.problem('DATABASE_URL', 'is not set, and the server needs a database', remedy);
  }
  const { host = '', port, password = '' } = connection ?? {};
  if (production && isPlaceholder(password) && !isLoopback(host)) {
    report.warn(`The password of the database at ${host} is a placeholder; give its role another.`);
  }
  const poolerHint =
    port === 6432 ||
    // Supabase's pooler pools by transaction on 6543, and by session on 5432.
    (port === 6543 && /(^|\.)pooler\./.test(host)) ||
    host.includes('-pooler') ||
    /[?&]pgbouncer=true\b/.test(url ?? '');
  if (poolerHint && !direct) {
    const lock = migrateOnStart ? 'migrations cannot hold their lock and ' : '';
    report.warn(
      `${host}:${port} looks like a transaction pooler, through which ${lock}notifications do not arrive. Set DATABASE_DIRECT_URL to the address past it.`,
    );
  }
  // Without one a problem was reported, which ends the process.
  return { connection: connection as DatabaseConnection, direct, poolerHint };
}

/** Whether any setting names a database. */
export const isConfigured = ({ url, host, database }: Address): boolean => Boolean(url || host || database);

interface Given {
  address: Address;
  env: NodeJS.ProcessEnv;
  report: Reader;
}

/** Parameters of an address that are used. */
const USED =
  /^(host|port|user|password|dbname|options|ssl|sslmode|sslrootcert|sslcert|sslkey|channel_binding|pgbouncer)$/;
/** Parameters that libpq, Prisma and hosted databases add, and that need nothing done here. */
const HARMLESS =
  /^(application_name|fallback_application_name|client_encoding|keepalives.*|target_session_attrs|load_balance_hosts|gss.*|krbsrvname|ssl(sni|compression|negotiation|_min_protocol_version)|tcp_user_timeout|uselibpqcompat|require_auth|pool_timeout)$/;
const INSTEAD: Record<string, string> = {
  connect_timeout: 'DB_CONNECT_TIMEOUT_MS',
  connection_limit: 'DB_POOL_SIZE',
  statement_timeout: 'DB_STATEMENT_TIMEOUT_MS',
  schema: "the role's search_path",
};

/**
 * @param variable Where the address comes from, for errors.
 * @param text The address; absent if the `PG…` variables alone make it.
 * @param main The main connection, for what the address of the direct one leaves out.
 * @returns `undefined` if a problem was reported.
 */
function parse(
  variable: Name,
  text: string | undefined,
  main: DatabaseConnection | undefined,
  given: Given,
): DatabaseConnection | undefined {
  const { address, env, report } = given;
  const url = parseUrl(variable, text ?? 'postgres://', report);
  if (!url) return undefined;
  const parameters = url.searchParams;
  // An IPv6 address stands in brackets, and the folder of a socket is percent-encoded.
  const authority = url.hostname === NO_HOST ? '' : decode(url.hostname).replace(/^\[(.+)\]$/, '$1');
  const host = parameters.get('host') || authority || address.host || 'localhost';
  const port = Number(parameters.get('port') || url.port || (address.port ?? 5432));
  if (host.includes(',')) {
    report.problem(variable, 'names several hosts', 'Name one: the one that always leads to the primary.');
    return undefined;
  }
  if (!(Number.isInteger(port) && port > 0 && port < 65_536)) {
    report.problem(variable, 'has an invalid port', 'Write host:5432.');
    return undefined;
  }
  for (const [name, value] of parameters) {
    if (USED.test(name) || HARMLESS.test(name) || `${name}=${value}` === 'schema=public') continue;
    const instead = INSTEAD[name] ? ` Use ${INSTEAD[name]}.` : '';
    report.warn(`The parameter ${name} of ${variable} is not used.${instead}`);
  }
  const ssl = resolveTls(variable, host, parameters, given);
  if (ssl === undefined) return undefined;
  const role = parameters.get('user') || decode(url.username) || main?.user || address.user;
  const user = role || env.USER || env.USERNAME || 'postgres';
  const secret = parameters.get('password') || decode(url.password) || main?.password;
  const name = parameters.get('dbname') || decode(url.pathname.slice(1)) || main?.database;
  const options = parameters.get('options');
  return {
    host,
    port,
    user,
    password: secret || address.password,
    database: name || address.database || user,
    ssl,
    ...(ssl && parameters.get('channel_binding') === 'require' && { enableChannelBinding: true }),
    ...(options && { options }),
  };
}

function parseUrl(variable: Name, text: string, report: Reader): URL | undefined {
  if (!/^postgres(ql)?:\/\//.test(text)) {
    const quoted = /^['"]/.test(text) ? ' Leave the quotation marks out.' : '';
    const remedy = `Write postgres://user:password@host:5432/database.${quoted}`;
    report.problem(variable, 'does not start with postgres:// or postgresql://', remedy);
    return undefined;
  }
  // WHATWG URLs allow no credentials without a host, which is how addresses of Unix sockets are written.
  const url = URL.parse(text) ?? URL.parse(text.replace('@/', `@${NO_HOST}/`));
  const names = [...(url?.searchParams.keys() ?? [])];
  // A / ? or # in a password ends the part before the @, and moves the rest to parts that errors would show.
  if (url && !url.hash && !url.pathname.includes('@') && names.every((name) => /^\w+$/.test(name)))
    return url;
  report.problem(
    variable,
    'cannot be read as an address; most often the password holds one of / ? # % @ :',
    `Percent-encode user and password: node -p "encodeURIComponent('the password')"`,
  );
  return undefined;
}

const NO_HOST = 'host.missing.invalid';

/** A percent sign that encodes nothing stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `ssl=` in an address is how JDBC and node-postgres spell it; both verify. */
const SSL_FLAG: Record<string, string> = {
  true: 'verify-full',
  1: 'verify-full',
  false: 'disable',
  0: 'disable',
  'no-verify': 'no-verify',
};

/**
 * `sslmode` means what libpq documents (https://www.postgresql.org/docs/current/libpq-ssl.html), except where libpq would try
 * one way and fall back to another, which `pg` cannot: `allow` and `prefer` are plain text to loopback and private hosts,
 * and TLS without verification to public ones. `verify-ca` without an authority is `verify-full`: a public authority
 * vouches for anyone.
 *
 * @returns `undefined` if a problem was reported.
 */
function resolveTls(
  variable: Name,
  host: string,
  parameters: URLSearchParams,
  { address, report }: Given,
): false | DatabaseTls | undefined {
  const production = report.context.environment === 'production';
  const near = isPrivateHost(host);
  const asked = parameters.get('sslmode') ?? SSL_FLAG[parameters.get('ssl') ?? ''] ?? address.sslMode;
  if (asked && !SSL_MODES.some((mode) => mode === asked)) {
    report.problem(variable, `has the unknown sslmode '${asked}'`, `Use one of ${SSL_MODES.join(', ')}.`);
    return undefined;
  }
  const read = (name: Name, path: string): string | undefined => {
    try {
      return readFileSync(resolve(report.context.folder, path), 'utf8');
    } catch (error) {
      const problem = `names a file that cannot be read, ${path} (${(error as NodeJS.ErrnoException).code})`;
      report.problem(name, problem, 'Correct the path, or mount the file.');
      return undefined;
    }
  };
  /** The content of a file that the address or a variable names. */
  const fileOf = (parameter: string, name: Name, path: string | undefined) => {
    const inAddress = parameters.get(parameter);
    if (inAddress) return inAddress === 'system' ? undefined : read(variable, inAddress);
    return path && path !== 'system' ? read(name, path) : undefined;
  };

  let ca = fileOf('sslrootcert', 'PGSSLROOTCERT', address.sslRootCert);
  if (address.ca) {
    // A PEM text that went through a one-line form has its line ends written as \n.
    const text = address.ca.replaceAll('\\n', '\n');
    ca = text.includes('-----BEGIN') ? text : read('DATABASE_CA', address.ca);
    if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
      const remedy =
        'Give the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, or a file with it.';
      report.problem('DATABASE_CA', 'holds no certificate in PEM form', remedy);
    }
  }

  const system = (parameters.get('sslrootcert') ?? address.sslRootCert) === 'system';
  const mode = asked || (ca !== undefined || system || (production && !near) ? 'verify-full' : 'prefer');
  if (host.startsWith('/')) return false;
  if (mode === 'disable' && production && !near)
    report.warn(`The connection to the database at ${host} is not encrypted (sslmode=disable).`);
  if (mode === 'disable' || ((mode === 'allow' || mode === 'prefer') && near)) return false;
  const chainOnly = ca !== undefined && (mode === 'verify-ca' || mode === 'require');
  const cert = fileOf('sslcert', 'PGSSLCERT', address.sslCert);
  const key = fileOf('sslkey', 'PGSSLKEY', address.sslKey);
  return {
    rejectUnauthorized: mode.startsWith('verify') || chainOnly,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(chainOnly && { checkServerIdentity: () => undefined }),
  };
}

const isLoopback = (host: string) => /^(\/|::1$|0\.0\.0\.0$|127\.|(.*\.)?localhost$)/.test(host);

/**
 * True for hosts that nobody on the internet can impersonate: sockets, loopback, private (RFC 1918, RFC 4193) and link-local
 * addresses, names of one label, and the domains that no public resolver answers for.
 */
export function isPrivateHost(name: string): boolean {
  const host = name
    .toLowerCase()
    .replace(/^::ffff:(?=[\d.]+$)/, '')
    .replace(/\.$/, '');
  if (isLoopback(host)) return true;
  // Not net.isIP: its first call compiles an expression for as long as everything else here takes.
  if (host.includes(':')) return /^(f[cd][\da-f]{2}|fe[89ab][\da-f]):/.test(host);
  if (/^[\d.]+$/.test(host)) return /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
  return !host.includes('.') || /\.(internal|local|svc)$/.test(host);
}
