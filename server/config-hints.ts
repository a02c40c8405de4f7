import { SETTINGS, type Setting, type Values } from './config-settings.ts';

/** What is said about variables that are not settings, but look as if they were meant to be. */

/** A variable of other guides that is not read, because what it means there is not quite what a setting means here. */
export interface LookAlike {
  /** Follows the variable's name, in a warning and in the documentation. */
  text: string;
  /** Whether to say it at start; always where absent. */
  when?(value: string, values: Values): boolean;
}

const never = () => false;
const withoutDatabase = (_: string, values: Values) =>
  !values.DATABASE_URL && !values.PGHOST && !values.PGDATABASE;

const LOOK_ALIKES_TABLE = {
  MAX_CONNECTIONS: {
    text: 'limits the connections of clients. For those to the database set DB_POOL_SIZE.',
    when: (value: string) => Number(value) <= 100,
  },
  SECRET_KEY: { text: 'is not read. To sign the cookies of browser sign-in set SESSION_SECRET.' },
  JWT_SECRET: { text: 'is not read. To sign the cookies of browser sign-in set SESSION_SECRET.' },
  COOKIE_SECRET: { text: 'is not read. To sign the cookies of browser sign-in set SESSION_SECRET.' },
  ENABLE_CSRF: { text: 'is not read: protection against cross-site requests is not a switch here.' },
  API_RATE_LIMIT: {
    text: 'is not read. Set RATE_LIMIT_MAX, and RATE_LIMIT_WINDOW_MS for the time it counts in.',
  },
  RATE_LIMIT_WINDOW: { text: 'is not read: its unit differs between guides. Set RATE_LIMIT_WINDOW_MS.' },
  SHUTDOWN_TIMEOUT: { text: 'is not read: its unit differs between guides. Set SHUTDOWN_TIMEOUT_MS.' },
  DATABASE_SSL: { text: 'is not read. Add ?sslmode=verify-full to DATABASE_URL, or set PGSSLMODE.' },
  DB_SSL: { text: 'is not read. Add ?sslmode=verify-full to DATABASE_URL, or set PGSSLMODE.' },
  DB_HOST: { text: 'is not read. Set DATABASE_URL, or PGHOST.', when: withoutDatabase },
  DB_NAME: { text: 'is not read. Set DATABASE_URL, or PGDATABASE.', when: withoutDatabase },
  POSTGRES_URL: { text: 'is not read. Set DATABASE_URL.', when: withoutDatabase },
  // Every container has one, so it is documented but never remarked on.
  HOSTNAME: { text: 'is never read, because containers set it to their own name. Set HOST.', when: never },
} satisfies Record<string, LookAlike>;

export const LOOK_ALIKES: Readonly<Record<string, LookAlike>> = LOOK_ALIKES_TABLE;

const KNOWN: ReadonlySet<string> = new Set(
  Object.entries(SETTINGS as Record<string, Setting>).flatMap(([name, { aliases = [], secret }]) =>
    [name, ...aliases].flatMap((variable) => (secret ? [variable, `${variable}_FILE`] : [variable])),
  ),
);

/**
 * What is to be said about one variable that is set.
 *
 * @returns A sentence, or nothing for what is a setting or clearly none of our business.
 */
export function remarkOn(variable: string, value: string, values: Values): string | undefined {
  const lookAlike = LOOK_ALIKES[variable];
  if (lookAlike)
    return (lookAlike.when?.(value, values) ?? true) ? `${variable} ${lookAlike.text}` : undefined;
  if (KNOWN.has(variable)) return undefined;
  const meant = meantBy(variable);
  return meant && `${variable} is not read; did you mean ${meant}?`;
}

/** The setting that a variable is a misspelling of. Short names, and libpq's many, are too close to each other to tell. */
function meantBy(variable: string): string | undefined {
  if (variable.length < 7 || variable.startsWith('PG')) return undefined;
  const upper = variable.toUpperCase();
  for (const known of KNOWN) {
    if (known.length < 8 || !startsAlike(upper, known) || Math.abs(known.length - upper.length) > 2) continue;
    if (editDistance(upper, known) <= 2 && sameWords(upper, known)) return known;
  }
  return undefined;
}

/** Cheap, and enough to spare nearly every variable the comparison. */
const startsAlike = (a: string, b: string) =>
  a[0] === b[0] && (a[1] === b[1] || a[1] === b[2] || a[2] === b[1]);

/** False where one word stands for another, as in METRICS_HOST and METRICS_PORT: half of its letters differ. */
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
