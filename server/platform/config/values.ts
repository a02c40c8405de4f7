import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { GIB, MIB } from '../lib/units.ts';
import { type Context, type Parser, Refusal } from './setting.ts';

export { GIB, MIB };

/** The kinds of values that settings have: how each is read, and what is said about one that cannot be. */

const MAX_DELAY_MS = 3_600_000;
const DAY_MS = 86_400_000;

const UNITS: Record<'ms' | 'bytes', [pattern: RegExp, factor: number][]> = {
  ms: [
    [/^ms$/i, 1],
    [/^s(ec|econds?)?$/i, 1000],
    [/^m(in|inutes?)?$/i, 60_000],
    [/^h(ours?)?$/i, 3_600_000],
    [/^d(ays?)?$/i, DAY_MS],
  ],
  bytes: [
    [/^b(ytes?)?$/i, 1],
    [/^ki?b?$/i, 1024],
    [/^mi?b?$/i, MIB],
    [/^gi?b?$/i, GIB],
  ],
};

// Not toLocaleString: to load the locale data takes longer than all the rest of the configuration.
export const grouped = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

/** A plain whole number. What was meant by `10s`, `1mb`, `10_000` or `10,000` is computed for the error message only. */
export function integer(min: number, max: number, unit?: 'ms' | 'bytes'): Parser<number> {
  const inUnit = unit === 'ms' ? ' of milliseconds' : unit === 'bytes' ? ' of bytes' : '';
  const kind = `a whole number${inUnit}, ${grouped(min)} to ${grouped(max)}`;
  return {
    kind,
    unit,
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      const [, amount = text, suffix] = /^([\d.]+) ?([a-z]+)$/i.exec(text) ?? [];
      const factor = unit && suffix && UNITS[unit].find(([pattern]) => pattern.test(suffix))?.[1];
      const meant = factor ? Number(amount) * factor : Number(text.replace(/(?<=\d)[_, ](?=\d{3})/g, ''));
      const remedy =
        Number.isInteger(meant) && meant >= min && meant <= max ? `Write ${meant}.` : `Write ${kind}.`;
      throw new Refusal(
        Number.isNaN(value) ? `'${text}' is not a plain whole number` : `${text} is out of range`,
        remedy,
      );
    },
  };
}

/**
 * A rate as guides write it: `100/minute`, `100/15m`, `100 per minute`.
 *
 * @returns How many requests, in how many milliseconds.
 */
export function parseRate(text: string): { max: number; windowMs: number } {
  const [, max, times = '1', unit = ''] =
    /^(\d{1,9})\s*(?:requests\s+)?(?:\/|per\s)\s*(\d{1,6})?\s*([a-z]+)$/i.exec(text) ?? [];
  const factor = UNITS.ms.find(([pattern]) => pattern.test(unit))?.[1] ?? 0;
  const rate = { max: Number(max), windowMs: Number(times) * factor };
  if (rate.max > 0 && rate.windowMs > 0 && rate.windowMs <= DAY_MS) return rate;
  throw new Refusal(
    `'${text}' is not a number of requests in a time of a day at most`,
    'Write it like 100/minute, 100/15m or 5 per second.',
  );
}

export const milliseconds = (min = 1, max = MAX_DELAY_MS) => integer(min, max, 'ms');

export const bytes = (min: number, max: number) => integer(min, max, 'bytes');

export const boolean: Parser<boolean> = {
  kind: '`true` or `false`',
  parse(text) {
    if (/^(true|1|yes|on)$/i.test(text)) return true;
    if (/^(false|0|no|off)$/i.test(text)) return false;
    throw new Refusal(`'${text}' is neither true nor false`, 'Write true or false.');
  },
};

export function choice<const T extends string>(...values: readonly T[]): Parser<T> {
  return {
    kind: values.map((value) => `\`${value}\``).join(', '),
    parse(text) {
      const found = values.find((value) => value === text.toLowerCase());
      if (found !== undefined) return found;
      throw new Refusal(`'${text}' is not one of ${values.join(', ')}`, `Write one of ${values.join(', ')}.`);
    },
  };
}

export const text = (kind: string): Parser<string> => ({ kind, parse: (value) => value });

/** Read as an absolute path. */
export const path: Parser<string> = {
  kind: 'a path',
  parse: (value, { folder }) => resolve(folder, value),
};

export const items = (list: string): string[] =>
  [...new Set(list.split(',').map((item) => item.trim()))].filter(Boolean);

const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i;

/** libpq's, and node-postgres's `no-verify`: TLS without verification, even where an authority is given. */
export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
] as const;

/** Addresses to listen on. `localhost` means both families: which one it resolves to differs between systems. */
export function parseHosts(list: string): string[] {
  return items(list).flatMap((item) => {
    const host = item.replace(/^\[(.+)\]$/, '$1');
    if (host === 'localhost') return LOOPBACK;
    if (HOST_NAME.test(host) || isIP(host)) return host;
    throw new Refusal(
      `'${item}' is not an address to listen on`,
      'Write an address without scheme or port, such as 0.0.0.0; the port has a setting of its own.',
    );
  });
}

export const LOOPBACK = ['127.0.0.1', '::1'];
/** What a server that listens on all addresses of a family names. */
export const ANY_ADDRESS = ['0.0.0.0', '::'];

export function parseOrigin(value: string): string {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Refusal(
      `'${value}' does not start with https:// or http://`,
      'Write it like https://app.example.com.',
    );
  }
  if (url.href !== `${url.origin}/`) {
    throw new Refusal('carries more than scheme, host and port', `Write ${url.origin} alone.`);
  }
  return url.origin;
}

/** The address may hold a password, so it is never shown. */
export function parseRedisUrl(value: string): string {
  if (/^rediss?:$/.test(URL.parse(value)?.protocol ?? '')) return value;
  throw new Refusal(
    'is not an address that starts with redis:// or rediss://',
    'Write redis://:password@host:6379.',
  );
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
  return items(list.toLowerCase()).map((item) => {
    const host = item.replace(/^\[(.+)\]$/, '$1');
    if (HOST_NAME.test(host.replace(/^\*\./, '')) || isIP(host)) return host;
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
