import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/config.ts';
import { allowedHosts } from './allowed-hosts.ts';
import { problems } from './problems.ts';
import { trustOf } from './trust.ts';
import { trustedProxies } from './trusted-proxies.ts';

const REAL = '203.0.113.7';
const SPOOFED = '198.51.100.1';
const PRIVATE = '10.0.0.2';
const UNTRUSTED = '192.0.2.66';

/** Settings → the address, protocol and host that a request is held to come with, and what was warned about. */
async function seen(env: Record<string, string>, remoteAddress: string, headers: Record<string, string>) {
  const { config } = loadConfig(
    {},
    { NODE_ENV: 'production', DATABASE_URL: 'postgres://localhost/x', ...env },
    '/nowhere',
    false,
  );
  const warned: string[] = [];
  const stream = { write: (line: string) => warned.push(JSON.parse(line).msg) };
  const trusts = trustOf(config.trustProxy);
  const app = Fastify({ trustProxy: config.trustProxy && trusts, logger: { level: 'warn', stream } });
  await app.register(trustedProxies, { ranges: config.trustProxy, trusts });
  app.get('/', async ({ ip, protocol, host }) => ({ ip, protocol, host }));
  const ask = () => app.inject({ url: '/', remoteAddress, headers: { host: 'own', ...headers } });
  const { ip, protocol, host } = (await ask()).json();
  await ask();
  await app.close();
  return { ip, protocol, host, warned: warned.length, said: warned.join() };
}

const xff = (...addresses: string[]) => ({ 'x-forwarded-for': addresses.join(', ') });
const PROXY = { TRUST_PROXY: '10.0.0.0/8' };
const REPLIT = { REPL_ID: 'x', REPLIT_DEPLOYMENT: '1' };

describe('the address of the client', () => {
  it.each<[string, Record<string, string>, string, Record<string, string>, string, number]>([
    ['trusts no proxy by default', {}, PRIVATE, xff(SPOOFED), PRIVATE, 1],
    ['is the peer, where nothing is forwarded', {}, REAL, {}, REAL, 0],
    ['is what a trusted proxy says', PROXY, PRIVATE, xff(REAL), REAL, 0],
    [
      'is the last one before the proxy, not what was sent to it',
      PROXY,
      PRIVATE,
      xff(SPOOFED, REAL),
      REAL,
      0,
    ],
    ['passes over trusted hops only', PROXY, PRIVATE, xff(SPOOFED, REAL, '10.9.9.9'), REAL, 0],
    ['is not what a private spoof pretends', PROXY, PRIVATE, xff('10.0.0.99', REAL), REAL, 0],
    ['ignores an untrusted peer', PROXY, UNTRUSTED, xff(SPOOFED), UNTRUSTED, 1],
    [
      'ignores an untrusted peer that names a trusted hop',
      PROXY,
      UNTRUSTED,
      xff(SPOOFED, PRIVATE),
      UNTRUSTED,
      1,
    ],
    ['knows IPv4 inside IPv6', PROXY, `::ffff:${PRIVATE}`, xff(REAL), REAL, 0],
    ['knows ranges of IPv6, and no zones', { TRUST_PROXY: 'fe80::/10' }, 'fe80::1%eth0', xff(REAL), REAL, 0],
    ['knows single addresses', { TRUST_PROXY: '10.0.0.2' }, '10.0.0.3', xff(SPOOFED), '10.0.0.3', 1],
    [
      'does not trust a value that is no address',
      PROXY,
      PRIVATE,
      xff('10.0.0.9', 'unknown', '10.0.0.8'),
      'unknown',
      0,
    ],
    ['knows a hop by its address, whatever its port', PROXY, PRIVATE, xff(REAL, '10.0.0.9:443'), REAL, 0],
    ['knows the named sets', { TRUST_PROXY: 'loopback' }, '::1', xff(REAL), REAL, 0],
    ['reads true as the private ranges', { TRUST_PROXY: 'true' }, UNTRUSTED, xff(SPOOFED), UNTRUSTED, 1],
    ["is what Replit's proxy says", REPLIT, PRIVATE, xff(SPOOFED, REAL), REAL, 0],
    ['ignores an untrusted peer on Replit', REPLIT, UNTRUSTED, xff(SPOOFED), UNTRUSTED, 1],
    ['is the proxy itself, where it forwards for itself', PROXY, PRIVATE, xff(PRIVATE), PRIVATE, 0],
  ])('%s', async (_what, env, peer, headers, ip, warned) => {
    const request = await seen(env, peer, headers);
    expect([request.ip, request.warned]).toEqual([ip, warned]);
  });

  it('is logged once, with what to set', async () => {
    const { said } = await seen({}, PRIVATE, xff(REAL));
    expect(said).toMatch(/10\.0\.0\.2 sends X-Forwarded-For .* set TRUST_PROXY to its address/);
  });
});

it.each([
  ['a trusted proxy', PRIVATE, 'https', 'shown.example'],
  ['an untrusted peer', UNTRUSTED, 'http', 'own'],
])('protocol and host are taken from %s accordingly', async (_who, peer, protocol, host) => {
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shown.example' };
  expect(await seen(PROXY, peer, headers)).toMatchObject({ protocol, host });
});

describe('ALLOWED_HOSTS', () => {
  async function status(hosts: string[], headers: Record<string, string>, url = '/', peer = UNTRUSTED) {
    const app = Fastify({ trustProxy: ['10.0.0.0/8'] });
    await app.register(problems);
    await app.register(allowedHosts, { hosts, exempt: new Set(['/live']) });
    app.get('/', async () => '');
    app.get('/live', async () => '');
    const { statusCode } = await app.inject({ url, headers, remoteAddress: peer });
    await app.close();
    return statusCode;
  }
  const HOSTS = ['example.com', '*.example.org', '::1'];

  it.each([
    ['example.com', 200],
    ['EXAMPLE.com:8443', 200],
    ['example.com.', 200],
    ['a.example.org', 200],
    ['a.b.example.org', 200],
    ['[::1]:5000', 200],
    ['example.org', 421],
    ['evil.example.com', 421],
    ['example.com.evil.example', 421],
    ['badexample.org', 421],
    ['127.0.0.1', 421],
  ])('under %s it answers %i', async (host, expected) => {
    expect(await status(HOSTS, { host })).toBe(expected);
  });

  it('exempts probes, believes a trusted proxy, and admits every host where it is not set', async () => {
    expect(await status(HOSTS, { host: '10.1.1.1' }, '/live?x')).toBe(200);
    const renamed = { host: 'inner', 'x-forwarded-host': 'example.com' };
    expect(await status(HOSTS, renamed, '/', PRIVATE)).toBe(200);
    expect(await status(HOSTS, renamed, '/', UNTRUSTED)).toBe(421);
    expect(await status([], { host: 'any.thing' })).toBe(200);
  });
});
