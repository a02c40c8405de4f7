import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { GIB, MIB } from '../lib/units.ts';
import { type Parser, Refusal } from './setting.ts';

export { GIB, MIB };

/** The kinds of values that settings have: how each is parsed, and the error for one that is invalid. */

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

const factorOf = (unit: 'ms' | 'bytes', suffix: string) =>
  UNITS[unit].find(([pattern]) => pattern.test(suffix))?.[1] ?? Number.NaN;

// Not toLocaleString: to load the locale data takes longer than all the rest of the configuration.
const grouped = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

/** A plain whole number. The remedy says what `10s`, `1mb`, `10_000` or `10,000` would be. */
export function integer(min: number, max: number, unit?: 'ms' | 'bytes'): Parser<number> {
  const inUnit = unit === 'ms' ? ' of milliseconds' : unit === 'bytes' ? ' of bytes' : '';
  const kind = `a whole number${inUnit}, ${grouped(min)} to ${grouped(max)}`;
  return {
    kind,
    unit,
    parse(text) {
      const isPlain = /^\d{1,15}$/.test(text);
      const value = Number(text);
      if (isPlain && value >= min && value <= max) return value;
      const [, amount, suffix = ''] = /^([\d.]+) ?([a-z]+)$/i.exec(text) ?? [];
      const meant = amount
        ? Number(amount) * (unit ? factorOf(unit, suffix) : Number.NaN)
        : Number(text.replace(/(?<=\d)[_, ](?=\d{3})/g, ''));
      const isUsable = Number.isInteger(meant) && meant >= min && meant <= max;
      throw new Refusal(
        isPlain ? `${text} is out of range` : `'${text}' is not a plain whole number`,
        `Write ${isUsable ? meant : kind}.`,
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
  const rate = { max: Number(max), windowMs: Number(times) * factorOf('ms', unit) };
  if (rate.max > 0 && rate.windowMs > 0 && rate.windowMs <= DAY_MS) return rate;
  throw new Refusal(
    `'${text}' is not a number of requests in a time of a day at most`,
    'Write it like 100/minute, 100/15m or 5 per second.',
  );
}

export const milliseconds = (min = 1, max = MAX_DELAY_MS): Parser<number> => integer(min, max, 'ms');

export const bytes = (min: number, max: number): Parser<number> => integer(min, max, 'bytes');

const NO = /^(false|0|no|off)$/i;
const YES = /^(true|1|yes|on)$/i;

export const boolean: Parser<boolean> = {
  kind: '`true` or `false`',
  parse(text) {
    if (YES.test(text)) return true;
    if (NO.test(text)) return false;
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

/** Parsed to an absolute path. */
export const path: Parser<string> = {
  kind: 'a path',
  parse: (value, { folder }) => resolve(folder, value),
};

/** The items of a comma-separated list, each once. */
export const items = (list: string): string[] =>
  [...new Set(list.split(',').map((item) => item.trim()))].filter(Boolean);

export const LOOPBACK = ['127.0.0.1', '::1'];
/** A server listens on these for all addresses of a family. */
export const ANY_ADDRESS = ['0.0.0.0', '::'];

/** @param prefix May stand before the name. */
function hostOf(item: string, what: string, remedy: string, prefix: string | RegExp = ''): string {
  const host = item.replace(/^\[(.+)\]$/, '$1');
  const name = host.replace(prefix, '');
  if (/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(name) || isIP(name)) return host;
  throw new Refusal(`'${item}' is not ${what}`, remedy);
}

/** `localhost` means both families: which one it resolves to differs between systems. */
export const listenAddresses: Parser<string[]> = {
  kind: 'addresses, comma-separated',
  parse: (list) =>
    items(list).flatMap((item) => {
      if (item === 'localhost') return LOOPBACK;
      return hostOf(
        item,
        'an address to listen on',
        'Write an address without scheme or port, such as 0.0.0.0; the port has a setting of its own.',
      );
    }),
};

export const hostNames: Parser<string[]> = {
  kind: 'host names, comma-separated; `*.` stands for any subdomain',
  parse: (list) =>
    items(list.toLowerCase()).map((item) =>
      hostOf(
        item,
        'a host name',
        'Write names without scheme, port or path: example.com,*.example.com',
        /^\*\./,
      ),
    ),
};

/** Parsed to scheme, host and port alone. */
export const origin: Parser<string> = {
  kind: 'an origin',
  parse(value) {
    const url = URL.parse(value);
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw new Refusal(
        `'${value}' does not start with https:// or http://`,
        'Write it like https://app.example.com.',
      );
    }
    if (url.href === `${url.origin}/`) return url.origin;
    throw new Refusal('holds more than scheme, host and port', `Write ${url.origin} alone.`);
  },
};

export const exactOrigins: Parser<string[]> = {
  kind: 'exact origins, comma-separated',
  parse: (list, ...more) =>
    items(list).map((item) => {
      if (!item.includes('*') && item !== 'null') return origin.parse(item, ...more);
      throw new Refusal(
        `'${item}' would let any site call this server in its visitors' names`,
        'List exact origins, such as https://app.example.com. For pages of this server itself leave it unset: the same origin is always allowed.',
      );
    }),
};

/** The address may hold a password, so no error repeats it. */
export const redisUrl: Parser<string> = {
  kind: '`redis://…` or `rediss://…`',
  secret: 'url',
  parse(value) {
    if (/^rediss?:$/.test(URL.parse(value)?.protocol ?? '')) return value;
    throw new Refusal(
      'is not an address that starts with redis:// or rediss://',
      'Write redis://:password@host:6379.',
    );
  },
};

/** Sets that `proxy-addr`, and with it Fastify, knows by name; together they are every private address. */
export const PRIVATE_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

export const trustedProxies: Parser<string[] | false> = {
  kind: `ranges, comma-separated, or the named sets \`${PRIVATE_RANGES.join('`, `')}\`; \`false\``,
  parse(value, { warn }) {
    const named = PRIVATE_RANGES.join(',');
    if (/^\d+$/.test(value)) {
      throw new Refusal(
        `${value} counts proxies, so a client that connects directly could choose its own address`,
        `Name the addresses your proxy connects from: TRUST_PROXY=${named} for a private network, or a range such as 10.0.0.0/8.`,
      );
    }
    if (NO.test(value)) return false;
    if (YES.test(value)) {
      warn(
        `TRUST_PROXY=${value} is read as ${named}: trusting every address would let clients choose theirs. Write TRUST_PROXY=${named}, or your proxy's range.`,
      );
      return PRIVATE_RANGES;
    }
    return items(value.toLowerCase()).map((range) => {
      if (PRIVATE_RANGES.includes(range)) return range;
      const [, address = '', bits = '1'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
      const family = isIP(address);
      if (family && Number(bits) > 0 && Number(bits) <= (family === 4 ? 32 : 128)) return range;
      const problem = Number(bits) === 0 ? 'trusts every address' : 'is neither an address nor a range';
      throw new Refusal(
        `'${range}' ${problem}`,
        `Write ranges such as 10.0.0.0/8, or some of ${PRIVATE_RANGES.join(', ')}.`,
      );
    });
  },
};

export const HSTS_DEFAULT = 'max-age=31536000';

export const strictTransportSecurity: Parser<string | false> = {
  kind: 'a `Strict-Transport-Security` header, or `false`',
  parse(value) {
    if (NO.test(value)) return false;
    if (YES.test(value)) return HSTS_DEFAULT;
    if (/^max-age=\d{1,10}(; *(includeSubDomains|preload))*$/i.test(value)) return value;
    throw new Refusal(
      `'${value}' is not a Strict-Transport-Security header`,
      `Write HSTS="${HSTS_DEFAULT}", or HSTS=false.`,
    );
  },
};
