/** Removes secrets and what people have written from each line of the log, before it is written. */

/** Fields whose value is a secret, compared in lower case and without the marks between words. */
const SECRET =
  /^(pwd|jwt|otp|pin)$|authorization|bearer|cookies?$|passw(or)?d|passphrase|passcode|secret|token|sessionid|(api|access|private|signing|encryption)key|credential|connectionstring|(database|redis)\w*url|dsn$/;
/** A count of tokens is no secret. */
const COUNTED = /tokens$/;

/**
 * The user and the password of an address; digits after a colon are a port. Each attempt is bounded and ends before the next
 * address, so that no text takes long.
 */
const USERINFO =
  /:\/\/(?:[^\s"/:@]{1,500}|[^\s"/:@]{0,500}:(?!\d{1,5}(?:[/?#]|$))(?:(?!:\/\/)[^\s"]){0,500})@/g;
/** A parameter of an address, with its name. */
const PARAMETER = /([?&#]([\w.-]{1,100})=)[^\s"&#]+/g;

/** The secret of an API key, wherever it stands; its prefix and id tell which one it was. */
const API_KEY = /\b([a-z]{2,16}_[0-9a-f]{16}_)[0-9a-f]{16,}/g;

/**
 * The values of a statement, in the message of drizzle's error and in text that repeats it. Their end is unknown, so everything
 * after them is removed as well. In the field `err` the serializer has removed the values alone.
 */
const VALUES = /\nparams: .*/s;

/** A line without any of these is written as it is: most lines need not be parsed. */
const SUSPECT =
  /authorization|bearer|cookie|pass|secret|token|key|session|["_?&#-](?:pwd|jwt|otp|pin)\W|credential|connection.?string|url"|dsn"|:\/\/|"severity"|params|reply was|_[0-9a-f]{16}_/i;

/** Fastify's error of a second answer to one request quotes its address; what follows the `?` may hold anything. */
const SECOND_ANSWER = /(Reply was already sent[^?]*)\?.*(?=" \([A-Z-]+\)\?)/s;

const CENSORED = '[redacted]';

/**
 * Removes from a line of the log
 *
 * - the value of every field whose name says that it is secret, at any depth and however it is spelt;
 * - of headers as they came (`rawHeaders`) the values of those;
 * - the user and the password of every address, and the parameters whose name says that they are secret;
 * - the secret of every API key, in any text;
 * - of PostgreSQL's errors what quotes rows and values, and of drizzle's the values of the statement.
 *
 * @param line One JSON object and a line break, as pino writes it.
 */
export function withoutSecrets(line: string): string {
  return SUSPECT.test(line) ? `${JSON.stringify(JSON.parse(line, censored))}\n` : line;
}

/** @returns A value of JSON without secrets, by the rules of the log: for what operators are shown. */
export function redacted<Value>(value: Value): Value {
  return JSON.parse(withoutSecrets(JSON.stringify({ value }))).value;
}

function censored(key: string, value: unknown): unknown {
  if (isSecret(key, value)) return CENSORED;
  if (typeof value === 'string') return withoutValues(value);
  if (Array.isArray(value) && key === 'rawHeaders') {
    // Names and values in turn.
    return value.map((text, at) => (at % 2 === 1 && isSecret(String(value[at - 1]), text) ? CENSORED : text));
  }
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
  const named = bare.includes('=')
    ? bare.replace(PARAMETER, (all, start, name) => (isSecret(name, all) ? start + CENSORED : all))
    : bare;
  const plain = named.includes('_') ? named.replace(API_KEY, `$1${CENSORED}`) : named;
  if (plain.includes('Failed query: ')) return plain.replace(VALUES, '');
  return plain.includes('Reply was already sent') ? plain.replace(SECOND_ANSWER, '$1') : plain;
}

function forgetValues(fields: Record<string, unknown>): void {
  if ('severity' in fields && 'code' in fields) {
    for (const field of ['detail', 'where', 'internalQuery']) delete fields[field];
  }
  if ('query' in fields && Array.isArray(fields.params)) delete fields.params;
}
