import { isIP } from 'node:net';

/** The kinds of values that settings have: how each is read, and what is said about one that cannot be. */

export type Environment = 'production' | 'development' | 'test';

export interface Platform {
  /** Replit: its editor's preview, or a published deployment. */
  replit: 'workspace' | 'deployment' | undefined;
  kubernetes: boolean;
  /** Inside a container of any make, Kubernetes included. */
  container: boolean;
}

/** What a default or a rule may depend on, and where a rule leaves a remark that does not stop the start. */
export interface Context {
  environment: Environment;
  platform: Platform;
  warn(text: string): void;
}

/** Thrown by a parser: what is wrong with the value (never the value of a secret), and what to do about it. */
export class Refusal extends Error {
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

/** Makes a value that satisfies every rule about secrets: 256 random bits. */
export const MAKE_SECRET = `node -e "console.log(require('node:crypto').randomBytes(32).toString('base64url'))"`;

const LARGEST_DELAY_MS = 3_600_000;
export const MIB = 1024 * 1024;

const UNITS: Record<string, Record<string, number>> = {
  ms: { ms: 1, s: 1000, sec: 1000, m: 60_000, min: 60_000, h: 3_600_000 },
  bytes: {
    b: 1,
    k: 1024,
    kb: 1024,
    kib: 1024,
    m: MIB,
    mb: MIB,
    mib: MIB,
    g: 1024 * MIB,
    gb: 1024 * MIB,
    gib: 1024 * MIB,
  },
};

export function integer(min: number, max: number, unit?: 'ms' | 'bytes') {
  const inUnit = unit === 'ms' ? ' of milliseconds' : unit === 'bytes' ? ' of bytes' : '';
  const kind = `a whole number${inUnit}, ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;
  return {
    kind,
    parse(text: string): number {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      const written = /^([\d.]+) ?([a-z]+)$/i.exec(text);
      const factor = written && unit && UNITS[unit]?.[written[2]?.toLowerCase() ?? ''];
      const meant = factor ? Number(written[1]) * factor : Number(text.replace(/(?<=\d)[_, ](?=\d{3})/g, ''));
      const remedy =
        Number.isInteger(meant) && meant >= min && meant <= max ? `Write ${meant}.` : `Write ${kind}.`;
      throw new Refusal(
        Number.isNaN(value) ? `'${text}' is not a plain whole number` : `${text} is out of range`,
        remedy,
      );
    },
  };
}

export const milliseconds = (min = 1, max = LARGEST_DELAY_MS) => integer(min, max, 'ms');

export const boolean = {
  kind: '`true` or `false`',
  parse(text: string): boolean {
    if (/^(true|1|yes|on)$/i.test(text)) return true;
    if (/^(false|0|no|off)$/i.test(text)) return false;
    throw new Refusal(`'${text}' is neither true nor false`, 'Write true or false.');
  },
};

export function choice<const T extends string>(...values: T[]) {
  return {
    kind: values.map((value) => `\`${value}\``).join(', '),
    parse(text: string): T {
      const found = values.find((value) => value === text.toLowerCase());
      if (found !== undefined) return found;
      throw new Refusal(`'${text}' is not one of ${values.join(', ')}`, `Write one of ${values.join(', ')}.`);
    },
  };
}

export const text = (kind: string) => ({ kind, parse: (value: string) => value });

const items = (list: string): string[] =>
  [...new Set(list.split(',').map((item) => item.trim()))].filter(Boolean);

const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i;

/** Addresses to listen on. `localhost` means both families: which one it resolves to differs between systems. */
export function parseHosts(list: string): string[] {
  return items(list).flatMap((item) => {
    const host = item.replace(/^\[(.+)\]$/, '$1');
    if (host === 'localhost') return LOOPBACK;
    if (isIP(host) || HOST_NAME.test(host)) return host;
    throw new Refusal(
      `'${item}' is not an address to listen on`,
      'Write an address without scheme or port, such as 0.0.0.0; the port is PORT.',
    );
  });
}

export const LOOPBACK = ['127.0.0.1', '::1'];

export function parseUrl(value: string, example: string, ...protocols: string[]): URL {
  const url = URL.parse(value);
  if (url && protocols.includes(url.protocol)) return url;
  const allowed = protocols.map((protocol) => `${protocol}//`).join(' or ');
  throw new Refusal(`is not an address that starts with ${allowed}`, `Write it like ${example}.`);
}

export function parseOrigin(value: string): string {
  const url = parseUrl(value, 'https://app.example.com', 'https:', 'http:');
  if (url.href !== `${url.origin}/`) {
    throw new Refusal(
      `'${url.origin}…' carries more than scheme, host and port`,
      `Write ${url.origin} alone.`,
    );
  }
  return url.origin;
}

export function parseCorsOrigins(list: string): string[] {
  return items(list).map((item) => {
    if (!item.includes('*') && item !== 'null') return parseOrigin(item);
    throw new Refusal(
      `'${item}' would let any site call this server in its visitors' names`,
      'List exact origins, such as https://app.example.com. For pages of this server itself leave it unset: the same origin is always allowed.',
    );
  });
}

export function parseAllowedHosts(list: string): string[] {
  return items(list).map((item) => {
    const host = item.toLowerCase().replace(/^\[(.+)\]$/, '$1');
    if (isIP(host) || HOST_NAME.test(host.replace(/^\*\./, ''))) return host;
    throw new Refusal(
      `'${item}' is not a host name`,
      'Write names without scheme, port or path: example.com,*.example.com',
    );
  });
}

/** The sets that `proxy-addr` knows by name, and with it Fastify; together they are every private address. */
export const PRIVATE_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

export function parseTrustProxy(value: string, context: Context): string[] | false {
  if (/^(false|no|off)$/i.test(value)) return false;
  if (/^(true|yes|on)$/i.test(value)) {
    const meant = PRIVATE_RANGES.join(',');
    context.warn(
      `TRUST_PROXY=${value} is read as ${meant}: trusting every address would let clients choose theirs. Write TRUST_PROXY=${meant}, or your proxy's range.`,
    );
    return PRIVATE_RANGES;
  }
  const remedy = `Name the addresses your proxy connects from: TRUST_PROXY=${PRIVATE_RANGES.join(',')} for a private network, or a range such as 10.0.0.0/8.`;
  if (/^\d+$/.test(value)) {
    throw new Refusal(
      `${value} counts proxies, so a client that connects directly could choose its own address`,
      remedy,
    );
  }
  return items(value).map((item) => {
    const range = item.toLowerCase();
    if (PRIVATE_RANGES.includes(range)) return range;
    const [address = '', bits, ...more] = range.split('/');
    const family = isIP(address);
    const largest = family === 4 ? 32 : 128;
    if (
      family &&
      !more.length &&
      (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= largest))
    ) {
      if (bits === undefined || Number(bits) > 0) return range;
      throw new Refusal(`'${item}' trusts every address`, remedy);
    }
    throw new Refusal(
      `'${item}' is neither an address, a range, nor one of ${PRIVATE_RANGES.join(', ')}`,
      remedy,
    );
  });
}

export function parseHsts(value: string): string | false {
  if (/^(false|no|off|0)$/i.test(value)) return false;
  if (/^(true|yes|on|1)$/i.test(value)) return HSTS_DEFAULT;
  const [age, ...flags] = value.split(';').map((part) => part.trim());
  const seconds = /^max-age=(\d{1,10})$/i.exec(age ?? '')?.[1];
  const names = flags.map((flag) => flag.toLowerCase());
  if (seconds === undefined || names.some((name) => name !== 'includesubdomains' && name !== 'preload')) {
    throw new Refusal(
      `'${value}' is not a Strict-Transport-Security header`,
      `Write HSTS="${HSTS_DEFAULT}", or HSTS=false.`,
    );
  }
  if (names.includes('preload') && !(names.includes('includesubdomains') && Number(seconds) >= 31_536_000)) {
    throw new Refusal(
      'preload is accepted by browsers only together with includeSubDomains and a year',
      `Write HSTS="${HSTS_DEFAULT}; includeSubDomains; preload".`,
    );
  }
  return value;
}

export const HSTS_DEFAULT = 'max-age=31536000';

// What people write where a secret should stand. None is made of the letters a to f alone, so no hexadecimal secret meets one.
const FILLER =
  /qwertyuiop|asdfghjkl|zxcvbnm|qwerty|asdf|change|replace|placeholder|example|sample|default|dummy|password|passw0rd|secret|session|internal|supersecure|secure|super|token|random|string|characters?|char|generate|insert|minimum|production|development|fastify|server|please|value|enter|this|that|with|your|must|long|least|some|very|here|test|todo|demo|keyboard|jwt|api|app|key|cat|xxx|my|me|in|to|a(?=[-_ ])/gi;

/** True for a value that is nothing but such words, digits and separators: less than 20 letters of its own. */
export function isPlaceholder(secret: string): boolean {
  const own = secret.replace(FILLER, '');
  return (own !== secret || /^[<{$]/.test(secret)) && own.replace(/[^a-z]/gi, '').length < 20;
}

/**
 * Estimates the entropy in bits from below: runs (`aaa`, `123`) and repeated triples add next to nothing. Random
 * hexadecimal of 32 characters, the weakest that is accepted, comes to 110 (standard deviation 7).
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
    bits += triple.length === 3 && seen.has(triple) ? 0 : step <= 1 ? 1 : Math.log2(alphabet);
    seen.add(triple);
  }
  return bits;
}

const LEAST_BITS = 64;

/** Several secrets, comma-separated; weak ones are refused in production and remarked on elsewhere. */
export function secrets(name: string, tooShort: (secret: string) => string | undefined) {
  return (list: string, context: Context): string[] => {
    const all = items(list);
    all.forEach((secret, index) => {
      const weakness =
        tooShort(secret) ??
        (isPlaceholder(secret) ? 'is a placeholder' : undefined) ??
        (estimateBits(secret) < LEAST_BITS ? 'is too regular to be random' : undefined);
      if (!weakness) return;
      const problem = all.length > 1 ? `value ${index + 1} of ${all.length} ${weakness}` : weakness;
      if (context.environment === 'production') throw new Refusal(problem, `Make a good one: ${MAKE_SECRET}`);
      context.warn(`${name} ${problem}; production refuses it. Make a good one: ${MAKE_SECRET}`);
    });
    return all;
  };
}

export const shorterThan = (least: number) => (secret: string) =>
  secret.length < least ? `has ${secret.length} characters, ${least} are the least` : undefined;

/** 256 bits are 64 characters of hexadecimal or 43 of base64url. */
export const shorterThan256Bits = (secret: string) =>
  shorterThan(/^[\da-f]+$/i.test(secret) ? 64 : 43)(secret);
