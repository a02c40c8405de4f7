import type { Reader } from './reader.ts';
import type { Setting } from './setting.ts';

/** Warnings about variables that are not settings, but look like them. */

/** A variable of other guides that is not read, because there it means something slightly different. */
export interface LookAlike {
  /** Follows the variable's name, in a warning and in the documentation. It never holds the value. */
  text: string;
  /** No warning at start if a database is configured. */
  withoutDatabase?: true;
  /** Only where there is this setting, which a part brings. */
  beside?: string;
}

/** The same text for each of these; `*` stands for any letters. */
const each = (text: string, names: string, more: Omit<LookAlike, 'text'> = {}): Record<string, LookAlike> =>
  Object.fromEntries(names.split(' ').map((name) => [name, { text, ...more }]));

/** An application may make a setting of one: {@link lookAlikesBeside} leaves that out. */
export const LOOK_ALIKES: Readonly<Record<string, LookAlike>> = {
  MAX_CONNECTIONS: {
    text: 'is not read: some guides mean the pool by it, others visitors. Set DB_POOL_SIZE for connections to the database, HTTP_MAX_CONNECTIONS for those of visitors.',
  },
  DATABASE_MAX_OVERFLOW: { text: 'is not read: the pool has one limit. Set DB_POOL_SIZE.' },
  DATABASE_POOL_TIMEOUT: {
    text: 'is not read: its unit differs between guides. Set DB_CONNECT_TIMEOUT_MS.',
  },
  DATABASE_POOL_RECYCLE: {
    text: 'is not read: a connection is closed when it has been unused for DB_IDLE_TIMEOUT_MS.',
  },
  ...each('is not read: one connection to Redis serves a process.', 'REDIS_POOL_SIZE REDIS_MAX_CONNECTIONS'),
  ...each('is not read: the server keeps no cache of answers.', 'REDIS_TTL CACHE_TTL'),
  ...each(
    'is not read: there are no tokens to sign but the cookies of sessions. Set SESSION_SECRET; several, comma-separated, for rotation.',
    'SECRET_KEY JWT_SECRET JWT_SECRET_KEY COOKIE_SECRET AUTH_SECRET NEXTAUTH_SECRET BETTER_AUTH_SECRET',
  ),
  ...each('is not read. Set PUBLIC_URL.', 'NEXTAUTH_URL AUTH_URL BETTER_AUTH_URL'),
  ...each(
    'is not read: accounts are kept in the database of this server, not by a service.',
    'CLERK_* AUTH0_* WORKOS_* SUPABASE_*',
  ),
  ...each(
    'is not read. To encrypt columns set ENCRYPTION_KEY.',
    'DATA_ENCRYPTION_KEY FIELD_ENCRYPTION_KEY DB_ENCRYPTION_KEY ENCRYPTION_SECRET',
  ),
  ENABLE_CSRF: {
    text: 'is not read: a page of another site can never write with the cookies of a visitor. CORS_ORIGINS names those that may.',
  },
  RATE_LIMIT_WINDOW: { text: 'is not read: its unit differs between guides. Set RATE_LIMIT_WINDOW_MS.' },
  SHUTDOWN_TIMEOUT: { text: 'is not read: its unit differs between guides. Set SHUTDOWN_TIMEOUT_MS.' },
  ...each('is not read. Add ?sslmode=verify-full to DATABASE_URL, or set PGSSLMODE.', 'DATABASE_SSL DB_SSL'),
  DB_HOST: { text: 'is not read. Set DATABASE_URL, or PGHOST.', withoutDatabase: true },
  DB_NAME: { text: 'is not read. Set DATABASE_URL, or PGDATABASE.', withoutDatabase: true },
  POSTGRES_URL: { text: 'is not read. Set DATABASE_URL.', withoutDatabase: true },
  BASE_DOMAIN: { text: 'is not read. Set PUBLIC_URL, and ALLOWED_HOSTS for the names that are answered.' },
  SENTRY_DSN: { text: 'is not read: the server groups its errors itself (docs/runbook.md, Many errors).' },
  DATADOG_API_KEY: { text: 'is not read: let the agent of Datadog scrape /metrics on METRICS_PORT.' },
  ...each('is not read: there are no agents here.', 'ENABLE_AGENTS RALPH_*'),
  ENABLE_WEBSOCKETS: { text: 'is not read: there are no WebSockets here.' },
  ENABLE_FILE_UPLOADS: { text: 'is not read: there are no file uploads here.' },
  ...each(
    'is not read: no language model or other service of that provider is called here.',
    'OPENAI_API_KEY OPENAI_ORG_ID ANTHROPIC_API_KEY GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_CLOUD_PROJECT ' +
      'GOOGLE_APPLICATION_CREDENTIALS MISTRAL_API_KEY ELEVENLABS_API_KEY COHERE_API_KEY GROQ_API_KEY ' +
      'DEEPSEEK_API_KEY XAI_API_KEY PERPLEXITY_API_KEY OPENROUTER_API_KEY TOGETHER_API_KEY ' +
      'HUGGINGFACE_API_KEY REPLICATE_API_TOKEN STABILITY_API_KEY DEEPGRAM_API_KEY AZURE_OPENAI_* PINECONE_API_KEY',
  ),
  ...each(
    'is not read. Set SMTP_URL, as smtp://user:password@host:587.',
    'SMTP_HOST SMTP_SERVER SMTP_PORT SMTP_USER SMTP_USERNAME SMTP_PASS SMTP_PASSWORD EMAIL_SERVER_* EMAIL_HOST EMAIL_HOST_* ' +
      'MAIL_HOST MAIL_PORT MAIL_SERVER MAIL_USERNAME MAIL_PASSWORD',
    { beside: 'SMTP_URL' },
  ),
  MAIL_FROM_NAME: { text: 'is not read. Set MAIL_FROM, as Name <address>.', beside: 'MAIL_FROM' },
  ...each(
    'is not read. Set SMTP_URL to the SMTP address of that provider.',
    'RESEND_API_KEY POSTMARK_API_TOKEN POSTMARK_SERVER_TOKEN',
    { beside: 'SMTP_URL' },
  ),
  ...each('is not read: the server sends no mail.', 'MAILGUN_* SENDGRID_* SMTP_*'),
  ...each('is not read: that provider is not called here.', 'RESEND_* POSTMARK_* TWILIO_*'),
  'STRIPE_*': { text: 'is not read: there are no payments here.' },
  ...each(
    'is not read: the server stores no files outside its database.',
    'AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY S3_*',
  ),
  '*_API_KEY_SECRET': {
    text: 'is not read: no secret manager is asked. Let the platform set the secret itself, or mount it as a file (docs/configuration.md, Secrets from files).',
  },
};

/** @param pattern A name in which one `*` stands for any letters. */
function fits(name: string, pattern: string): boolean {
  const [start = '', end] = pattern.split('*');
  if (end === undefined) return name === pattern;
  return name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end);
}

/** @returns The look-alikes that are no setting, nor a pattern that a setting fits, nor beside one that there is not. */
export function lookAlikesBeside(settings: readonly Setting[]): [name: string, lookAlike: LookAlike][] {
  return Object.entries(LOOK_ALIKES).filter(
    ([pattern, { beside }]) =>
      !settings.some(({ env }) => fits(env, pattern)) &&
      (beside === undefined || settings.some(({ env }) => env === beside)),
  );
}

/**
 * Warns about variables that are not read but look like settings.
 *
 * @param settings All that there are.
 */
export function warnAboutUnknownVariables(
  reader: Reader,
  settings: readonly Setting[],
  databaseConfigured: boolean,
): void {
  const known = new Set(
    settings.flatMap(({ env, aliases = [], rewritten = {}, secret }) =>
      [env, ...aliases, ...Object.keys(rewritten)].flatMap((name) =>
        secret ? [name, `${name}_FILE`] : name,
      ),
    ),
  );
  const lookAlikes = lookAlikesBeside(settings);
  for (const [variable, text] of Object.entries(reader.variables())) {
    if (!text?.trim() || known.has(variable)) continue;
    // By its name, or by that of the variable whose value its file would hold.
    const name = variable.replace(/_FILE$/, '');
    const lookAlike = lookAlikes.find(([pattern]) => fits(name, pattern))?.[1];
    const meant = lookAlike ? undefined : meantBy(variable, known);
    if (lookAlike && !(lookAlike.withoutDatabase && databaseConfigured))
      reader.warn(`${variable} ${lookAlike.text}`);
    if (meant) reader.warn(`${variable} is not read; did you mean ${meant}?`);
  }
}

/** The setting of which a variable is a misspelling. Short names, and libpq's many, are too close to each other to tell. */
function meantBy(variable: string, known: ReadonlySet<string>): string | undefined {
  if (variable.length < 7 || variable.startsWith('PG')) return undefined;
  const upper = variable.toUpperCase();
  return [...known].find((name) => name.length >= 8 && isOneSlip(upper, name));
}

/** Whether one letter was left out, added or mistaken, or two neighbours were swapped; or nothing, but case. */
function isOneSlip(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  const [first = '', second = ''] = restA;
  return (
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    restA.slice(1) === restB.slice(1) ||
    second + first + restA.slice(2) === restB
  );
}
