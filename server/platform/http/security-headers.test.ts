import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { helmetOptions, type SecurityHeadersOptions, securityHeaders } from './security-headers.ts';

const HSTS = 'max-age=31536000';
const PRODUCTION: SecurityHeadersOptions = { hsts: HSTS, fromVite: false, inReplitWorkspace: false };

async function headersOf(
  register: (app: FastifyInstance) => void,
  request: { url?: string; headers?: Record<string, string>; remoteAddress?: string } = {},
) {
  const app = Fastify({ trustProxy: ['10.0.0.0/8'] });
  register(app);
  app.get('/', async () => null);
  const { headers } = await app.inject({ url: '/', ...request });
  await app.close();
  for (const name of ['content-length', 'content-type', 'date', 'connection']) delete headers[name];
  return headers;
}

const ours = (options: Partial<SecurityHeadersOptions>, request = {}) =>
  headersOf((app) => app.register(securityHeaders, { ...PRODUCTION, ...options }), request);

describe.each([
  [false, false],
  [true, false],
  [true, true],
])('security headers, fromVite %s, in a Replit workspace %s', (fromVite, inReplitWorkspace) => {
  it("are helmet's own, and the permissions policy", async () => {
    const options = { fromVite, inReplitWorkspace };
    const helmets = await headersOf((app) => app.register(helmet, helmetOptions(options)));
    expect(Object.keys(helmets).length).toBeGreaterThan(5);
    const { 'permissions-policy': permissions, ...rest } = await ours(options);
    expect(rest).toEqual(helmets);
    expect(permissions).toMatch(/camera=\(\).* usb=\(\)$/);
  });
});

it('forbid inline code, HTML from strings and framing in production', async () => {
  const headers = await ours({});
  expect(headers['content-security-policy']).toMatch(
    /^default-src 'none';script-src 'self';.*frame-ancestors 'none';require-trusted-types-for 'script';trusted-types 'none'$/,
  );
  expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|ws:|https?:(?!\/\/\w)/);
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'strict-origin-when-cross-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(headers).not.toHaveProperty('server');
  expect(headers).not.toHaveProperty('x-powered-by');
});

it("allow Replit's editor alone to frame the preview of a workspace", async () => {
  const headers = await ours({ inReplitWorkspace: true });
  expect(headers['content-security-policy']).toContain(
    "frame-ancestors 'self' https://replit.com https://*.replit.com https://*.replit.dev",
  );
  expect(headers).not.toHaveProperty('x-frame-options');
});

describe('HSTS', () => {
  const TLS = { 'x-forwarded-proto': 'https' };
  it.each([
    ['over TLS, as a trusted proxy says', HSTS, '10.0.0.1', TLS, HSTS],
    ['without TLS', HSTS, '10.0.0.1', {}, undefined],
    ['where the proxy says HTTP', HSTS, '10.0.0.1', { 'x-forwarded-proto': 'http' }, undefined],
    ['when an untrusted client claims TLS', HSTS, '203.0.113.9', TLS, undefined],
    ['when it is switched off', false as const, '10.0.0.1', TLS, undefined],
  ])('%s', async (_when, hsts, remoteAddress, headers, expected) => {
    const answer = await ours({ hsts }, { remoteAddress, headers });
    expect(answer['strict-transport-security']).toBe(expected);
    expect(answer['x-content-type-options']).toBe('nosniff');
  });
});

it('are on a 404 as well', async () => {
  expect((await ours({}, { url: '/no' }))['x-content-type-options']).toBe('nosniff');
});
