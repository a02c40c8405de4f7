import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Parser, Refusal } from './setting.ts';
import { items } from './values.ts';

/** What makes a secret too weak for production, and where the secrets of development come from. */

/** Makes a value that satisfies every rule about secrets: 256 random bits. */
export const MAKE_SECRET = `node -e "console.log(require('node:crypto').randomBytes(32).toString('base64url'))"`;

// Words of placeholders, four letters and more: a random value hardly ever holds one.
const FILLER =
  /change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|it)|qwertyuiop|asdfghjkl|zxcvbnm|placeholder|example|sample|default|dummy|password|passw0rd|postgres|secret|session|cookie|internal|secure|super|token|random|string|char(acter)?s?|generate|insert|minimum|production|development|server|please|value|enter|this|that|with|your|must|least|long|some|very|here|test|todo|demo|keyboard|change|replace|key$/gi;

const letters = (text: string): number => text.replace(/[^a-z]/gi, '').length;

/**
 * True for a value that is made of such words. Two or more of them (8 letters) and little else (less than 20 letters) are
 * required: one alone occurs by chance in one of some thousand random values.
 */
export function isPlaceholder(secret: string): boolean {
  const own = letters(secret.replace(FILLER, ''));
  const filler = letters(secret) - own;
  return filler > 0 && (own === 0 || (filler >= 8 && own < 20));
}

/**
 * A lower estimate of the entropy in bits: runs (`aaa`, `123`) and repeated triples add next to nothing. Random
 * hexadecimal of 32 characters comes to 110 (standard deviation 7), of 64 to 215, 43 of base64url to 245.
 */
export function estimateBits(secret: string): number {
  const alphabet = /^\d+$/.test(secret)
    ? 10
    : /^[\da-f]+$/i.test(secret)
      ? 16
      : /^[\da-z]+$/.test(secret)
        ? 36
        : 64;
  const seen = new Set<string>();
  let bits = 0;
  for (let i = 0; i < secret.length; i++) {
    const triple = secret.slice(Math.max(0, i - 2), i + 1);
    const step = i === 0 ? 2 : Math.abs(secret.charCodeAt(i) - secret.charCodeAt(i - 1));
    if (!(triple.length === 3 && seen.has(triple))) bits += step <= 1 ? 1 : Math.log2(alphabet);
    seen.add(triple);
  }
  return bits;
}

export interface SecretRule {
  minCharacters: number;
  /** For hexadecimal values, which have 4 bits a character instead of 6. */
  minHexadecimal?: number;
  /** By {@link estimateBits}, so well below what is asked for. */
  minBits: number;
}

export const SESSION_SECRET_RULE: SecretRule = { minCharacters: 32, minBits: 64 };
export const INTERNAL_API_KEY_RULE: SecretRule = { minCharacters: 43, minHexadecimal: 64, minBits: 128 };

function weaknessOf(secret: string, { minCharacters, minHexadecimal, minBits }: SecretRule) {
  if (isPlaceholder(secret)) return 'is a placeholder';
  const minimum = (/^[\da-f]+$/i.test(secret) && minHexadecimal) || minCharacters;
  if (secret.length < minimum) return `has ${secret.length} characters; the minimum is ${minimum}`;
  return estimateBits(secret) < minBits ? 'is too regular to be random' : undefined;
}

/** @returns What is wrong with the first weak one of several secrets, without its value; nothing if all are strong. */
export function weaknessAmong(all: readonly string[], rule: SecretRule): string | undefined {
  for (const [index, secret] of all.entries()) {
    const weakness = weaknessOf(secret, rule);
    if (weakness)
      return all.length > 1 ? `holds ${all.length} secrets; number ${index + 1} ${weakness}` : weakness;
  }
  return undefined;
}

/** Several secrets, comma-separated, never shown. Weak ones are an error in production, and a warning elsewhere. */
export function secrets(rule: SecretRule = SESSION_SECRET_RULE): Parser<string[]> {
  const { minCharacters, minHexadecimal } = rule;
  return {
    kind: minHexadecimal
      ? `256 bits or more (${minCharacters} characters of base64url, ${minHexadecimal} of hexadecimal); several, comma-separated`
      : `${minCharacters} characters or more; several, comma-separated`,
    secret: 'value',
    parse(list, { environment, warn }, name) {
      const all = items(list);
      const problem = weaknessAmong(all, rule);
      const remedy = `Make a good one: ${MAKE_SECRET}`;
      if (problem && environment === 'production') throw new Refusal(problem, remedy);
      if (problem) warn(`${name} ${problem}; production refuses it. ${remedy}`);
      return all;
    },
  };
}

/**
 * The secrets of a clone in development: those kept in a file, and new ones for the rest, kept from then on.
 *
 * @param file JSON, readable by its owner only; made if it is missing.
 * @param names What is needed.
 * @returns A secret for each name; and the system's error code if they could not be kept.
 */
export function developmentSecrets(
  file: string,
  names: readonly string[],
): { secrets: Record<string, string>; error?: string } {
  const kept = readKept(file);
  if (names.every((name) => kept[name])) return { secrets: kept };
  const fresh = Object.fromEntries(names.map((name) => [name, randomBytes(32).toString('base64url')]));
  const secrets = { ...fresh, ...kept };
  try {
    return { secrets: keep(file, secrets) };
  } catch (error) {
    return { secrets, error: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

function readKept(file: string): Record<string, string> {
  try {
    const entries = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>);
    return Object.fromEntries(entries.filter(([, secret]) => typeof secret === 'string' && secret !== ''));
  } catch {
    return {};
  }
}

/** Writes the file whole or not at all. Of several processes the first wins, and all use its secrets. */
function keep(file: string, secrets: Record<string, string>): Record<string, string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const write = (content: Record<string, string>) =>
    writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  mkdirSync(dirname(file), { recursive: true });
  write(secrets);
  try {
    // Unlike a rename, a link fails if another process was faster.
    linkSync(draft, file);
    rmSync(draft);
    return secrets;
  } catch {
    const merged = { ...secrets, ...readKept(file) };
    write(merged);
    renameSync(draft, file);
    return merged;
  }
}
