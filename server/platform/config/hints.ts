import type { Reader } from './reader.ts';
import type { Setting } from './setting.ts';

/** What is said about variables that are not settings, but look as if they were meant to be. */

/** A variable of other guides that is not read, because what it means there is not quite what a setting means here. */
export interface LookAlike {
  /** Follows the variable's name, in a warning and in the documentation. It never holds the value. */
  text: string;
  /** Whether to say it at start; always where absent. */
  when?(databaseConfigured: boolean): boolean;
}

const never = () => false;
const withoutDatabase = (databaseConfigured: boolean) => !databaseConfigured;

/** The same line for each of these; `*` stands for any letters. */
const each = (text: string, names: string): Record<string, LookAlike> =>
  Object.fromEntries(names.split(' ').map((name) => [name, { text }]));

/** One that an application makes a setting of its own is read: {@link lookAlikesBeside} leaves it out. */
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
    'is not read. To sign the cookies of browser sign-in set SESSION_SECRET.',
    'SECRET_KEY JWT_SECRET JWT_SECRET_KEY COOKIE_SECRET',
  ),
  ENCRYPTION_KEY: { text: 'is not read: the application encrypts nothing that it stores.' },
  ENABLE_CSRF: { text: 'is not read: protection against cross-site requests is not a switch here.' },
  RATE_LIMIT_WINDOW: { text: 'is not read: its unit differs between guides. Set RATE_LIMIT_WINDOW_MS.' },
  SHUTDOWN_TIMEOUT: { text: 'is not read: its unit differs between guides. Set SHUTDOWN_TIMEOUT_MS.' },
  DATABASE_SSL: { text: 'is not read. Add ?sslmode=verify-full to DATABASE_URL, or set PGSSLMODE.' },
  DB_SSL: { text: 'is not read. Add ?sslmode=verify-full to DATABASE_URL, or set PGSSLMODE.' },
  DB_HOST: { text: 'is not read. Set DATABASE_URL, or PGHOST.', when: withoutDatabase },
  DB_NAME: { text: 'is not read. Set DATABASE_URL, or PGDATABASE.', when: withoutDatabase },
  POSTGRES_URL: { text: 'is not read. Set DATABASE_URL.', when: withoutDatabase },
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
    'is not read: the server sends no mail and no messages.',
    'MAILGUN_* SENDGRID_* RESEND_* POSTMARK_* SMTP_* TWILIO_*',
  ),
  'STRIPE_*': { text: 'is not read: there are no payments here.' },
  ...each(
    'is not read: the server stores no files outside its database.',
    'AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY S3_*',
  ),
  '*_API_KEY_SECRET': {
    text: 'is not read: no secret manager is asked. Let the platform set the secret itself, or mount it as a file (docs/configuration.md, Secrets from files).',
  },
  // Every container has one, so it is documented but never remarked on.
  HOSTNAME: { text: 'is never read, because containers set it to their own name. Set HOST.', when: never },
};

/** @param pattern A name in which one `*` stands for any letters. */
function fits(name: string, pattern: string): boolean {
  const [start = '', end = ''] = pattern.split('*');
  return name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end);
}

const isPattern = (name: string) => name.includes('*');

/** @returns The look-alikes that these settings leave: none that is a setting, and no pattern that a setting fits. */
export function lookAlikesBeside(settings: readonly Setting[]): [name: string, lookAlike: LookAlike][] {
  const names = settings.map(({ env }) => env);
  return Object.entries(LOOK_ALIKES).filter(([name]) =>
    isPattern(name) ? !names.some((one) => fits(one, name)) : !names.includes(name),
  );
}

/** Every variable that is read for these settings. */
const variablesOf = (settings: readonly Setting[]) =>
  settings.flatMap(({ env, aliases = [], rewritten, secret }) =>
    [env, ...aliases, ...Object.keys(rewritten ?? {})].flatMap((variable) =>
      secret ? [variable, `${variable}_FILE`] : [variable],
    ),
  );

/**
 * Warns about variables that are no settings but look as if they were meant to be.
 *
 * @param settings All that there are.
 * @param databaseConfigured Whether hints about the database are of no use.
 */
export function warnAboutUnknownVariables(
  reader: Reader,
  settings: readonly Setting[],
  databaseConfigured: boolean,
): void {
  const known = new Set(variablesOf(settings));
  const lookAlikes = lookAlikesBeside(settings);
  const byName = new Map(lookAlikes);
  const patterns = lookAlikes.filter(([name]) => isPattern(name));

  for (const [variable, text] of Object.entries(reader.variables())) {
    if (!text?.trim() || known.has(variable)) continue;
    // By its name, or by that of the variable whose value its file would hold.
    const name = variable.replace(/_FILE$/, '');
    const lookAlike = byName.get(name) ?? patterns.find(([pattern]) => fits(name, pattern))?.[1];
    if (lookAlike) {
      if (lookAlike.when?.(databaseConfigured) ?? true) reader.warn(`${variable} ${lookAlike.text}`);
      continue;
    }
    const meant = meantBy(variable, known);
    if (meant) reader.warn(`${variable} is not read; did you mean ${meant}?`);
  }
}

/** The setting that a variable is a misspelling of. Short names, and libpq's many, are too close to each other to tell. */
function meantBy(variable: string, known: ReadonlySet<string>): string | undefined {
  if (variable.length < 7 || variable.startsWith('PG')) return undefined;
  const upper = variable.toUpperCase();
  for (const name of known) {
    if (name.length < 8 || !startsAlike(upper, name) || Math.abs(name.length - upper.length) > 2) continue;
    if (editDistance(upper, name) <= 2 && sameWords(upper, name)) return name;
  }
  return undefined;
}

/** Cheap, and enough to spare nearly every variable the comparison. */
const startsAlike = (a: string, b: string) =>
  a[0] === b[0] && (a[1] === b[1] || a[1] === b[2] || a[2] === b[1]);

/** False where one word stands for another, as in METRICS_PATH and METRICS_PORT: half of its letters differ. */
function sameWords(a: string, b: string): boolean {
  const [wordsOfA, wordsOfB] = [a.split('_'), b.split('_')];
  if (wordsOfA.length !== wordsOfB.length) return true;
  return wordsOfB.every((word, i) => {
    const slips = editDistance(wordsOfA[i] ?? '', word);
    return slips <= 1 || slips * 2 < word.length;
  });
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + differs);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
