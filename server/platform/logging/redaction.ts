/** What is never read in a log: secrets, and what people have written. Applied to each line as it is about to be written. */

/** Fields whose value is a secret, compared in lower case and without the marks between words. */
const SECRET =
  /authorization|cookies?$|passw(or)?d|passphrase|secret|token|apikey|accesskey|privatekey|credential|connectionstring|(database|redis)\w*url|dsn$/;
/** A count of tokens is none. */
const COUNTED = /tokens$/;

/** The user and the password of an address; digits behind a colon are a port. Bounded, so that no text takes long. */
const USERINFO = /:\/\/(?:[^\s"/:@]{1,500}|[^\s"/:@]{0,500}:(?!\d{1,5}(?:[/?#]|$))[^\s"]{0,500})@/g;

/**
 * The values of a statement, in the message of drizzle's error and in whatever repeats it. Where they end cannot be seen, so
 * everything behind them goes as well. In the field `err` the serializer has taken out the values alone.
 */
const VALUES = /\nparams: .*/s;

/** A line without any of these has nothing to hide: most lines need not be taken apart. */
const SUSPECT =
  /authorization|cookie|pass|secret|token|key|credential|connection.?string|url"|dsn"|:\/\/|"severity"|params/i;

const CENSORED = '[redacted]';

/**
 * Takes out of a line of log
 *
 * - the value of every field whose name says that it is secret, at any depth and however it is spelt;
 * - the user and the password of every address;
 * - of PostgreSQL's errors what quotes rows and values, and of drizzle's the values of the statement.
 *
 * @param line One JSON object and a line break, as pino writes it.
 */
export function withoutSecrets(line: string): string {
  return SUSPECT.test(line) ? `${JSON.stringify(JSON.parse(line, censored))}\n` : line;
}

function censored(key: string, value: unknown): unknown {
  if (isSecret(key, value)) return CENSORED;
  if (typeof value === 'string') return withoutValues(value);
  if (typeof value === 'object' && value !== null) forgetValues(value as Record<string, unknown>);
  return value;
}

function isSecret(key: string, value: unknown): boolean {
  if (value === null || typeof value === 'boolean') return false;
  const name = key.replace(/[^a-z0-9]/gi, '').toLowerCase();
  return SECRET.test(name) && !(typeof value === 'number' && COUNTED.test(name));
}

function withoutValues(text: string): string {
  const bare = text.includes('://') ? text.replace(USERINFO, `://${CENSORED}@`) : text;
  return bare.includes('Failed query: ') ? bare.replace(VALUES, '') : bare;
}

function forgetValues(fields: Record<string, unknown>): void {
  if ('severity' in fields && 'code' in fields) {
    for (const field of ['detail', 'where', 'internalQuery']) delete fields[field];
  }
  if ('query' in fields && Array.isArray(fields.params)) delete fields.params;
}
