import helmet from '@fastify/helmet';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { helmetOptions, securityHeaders } from './security-headers.ts';

const HSTS = 'max-age=31536000';

async function headersOf(register: (app: ReturnType<typeof Fastify>) => void, url = '/') {
  const app = Fastify();
  register(app);
  app.get('/', async () => null);
  const { headers } = await app.inject(url);
  await app.close();
  for (const name of ['content-length', 'content-type', 'date', 'connection']) delete headers[name];
  return headers;
}

describe.each([true, false])('security headers, fromVite %s', (fromVite) => {
  it.each([false, HSTS])("are helmet's own and ours, with hsts %s", async (hsts) => {
    const ours = await headersOf((app) => app.register(securityHeaders, { hsts, fromVite }));
    const helmets = await headersOf((app) => app.register(helmet, helmetOptions({ fromVite })));
    expect(Object.keys(helmets).length).toBeGreaterThan(8);
    const { 'permissions-policy': permissions, 'strict-transport-security': sentHsts, ...rest } = ours;
    expect(rest).toEqual(helmets);
    expect(permissions).toContain('camera=()');
    expect(sentHsts).toBe(hsts || undefined);
  });
});

it('let nothing inline run in production', async () => {
  const headers = await headersOf((app) => app.register(securityHeaders, { hsts: HSTS, fromVite: false }));
  expect(headers['content-security-policy']).toMatch(/^default-src 'none';script-src 'self';/);
  expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|ws:/);
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
});

it('stand on what is missing as well', async () => {
  const headers = await headersOf(
    (app) => app.register(securityHeaders, { hsts: false, fromVite: false }),
    '/no',
  );
  expect(headers['x-content-type-options']).toBe('nosniff');
});
