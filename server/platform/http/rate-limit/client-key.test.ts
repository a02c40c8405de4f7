import { expect, it } from 'vitest';
import { addressIn, clientKey } from './client-key.ts';

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:c000:207', '192.0.2.7'],
  ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s counts as %s', (ip, key) => {
  expect(clientKey(ip, '127.0.0.1')).toBe(key);
  expect(clientKey(ip, ip)).toBe(key);
});

it.each([
  ['192.0.2.7:49152', '192.0.2.7'],
  ['[2001:db8:1:2::7]:49152', '2001:db8:1:2::/64'],
  ['[2001:db8:1:2::7]', '2001:db8:1:2::/64'],
  ['[::ffff:192.0.2.7]:1', '192.0.2.7'],
])('%s, as some proxies write it, counts as %s', (text, key) => {
  expect(clientKey(text, '10.0.0.1')).toBe(key);
});

it.each([
  '',
  'unknown',
  '_hidden',
  '192.0.2.7:',
  '192.0.2.7:x',
  '192.0.2',
  '192.0.2.07',
  '[192.0.2',
  '1:2',
  ':::',
])("'%s' is no address, so the connected peer counts", (text) => {
  expect(clientKey(text, '10.0.0.1')).toBe('10.0.0.1');
});

it('is empty where the connection has ended', () => {
  expect(clientKey(undefined, undefined)).toBe('');
});

it('finds the address in what was forwarded', () => {
  expect(addressIn('[fe80::1%eth0]:80')).toBe('fe80::1%eth0');
  expect(addressIn('x'.repeat(100_000))).toBeUndefined();
});
