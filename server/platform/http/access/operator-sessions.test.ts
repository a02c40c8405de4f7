import { describe, expect, it } from 'vitest';
import { OperatorSessions } from './operator-sessions.ts';
import { SignInToken } from './sign-in-token.ts';

const KEYS = ['key-one', 'key-two'];
const SECRETS = ['secret-new', 'secret-old'];
const NOW = Date.parse('2026-01-01T00:00:00Z');
const MINUTE = 60_000;

describe('a session', () => {
  const sessions = new OperatorSessions(KEYS, SECRETS);
  const { session, value } = sessions.begin(1, NOW);

  it('is read from its value for an hour', () => {
    expect(session).toEqual({
      id: session.id,
      signedInAt: NOW,
      expiresAt: NOW + 60 * MINUTE,
      key: 1,
    });
    expect(sessions.read(value, NOW + 60 * MINUTE - 1)).toEqual(session);
    expect(sessions.read(value, NOW + 60 * MINUTE)).toBeUndefined();
  });

  it('is known to every process with the same secrets, and while they are rotated', () => {
    expect(new OperatorSessions(KEYS, ['secret-newer', 'secret-new']).read(value, NOW)).toEqual(session);
    expect(new OperatorSessions(KEYS, ['secret-old']).read(value, NOW)).toBeUndefined();
    const old = new OperatorSessions(KEYS, ['secret-old']).begin(0, NOW);
    expect(sessions.read(old.value, NOW)).toEqual(old.session);
  });

  it('ends with its key, and not with another', () => {
    expect(new OperatorSessions(['key-one'], SECRETS).read(value, NOW)).toBeUndefined();
    expect(new OperatorSessions(['key-two'], SECRETS).read(value, NOW)).toEqual({ ...session, key: 0 });
  });

  it('cannot be forged or changed', () => {
    const [id, signedIn, expires, signature] = value.split('.') as [string, string, string, string];
    const other = sessions.begin(1, NOW).session.id;
    const later = (NOW + 120 * MINUTE).toString(36);
    for (const forged of [
      '',
      'x',
      `${id}.${signedIn}.${later}.${signature}`,
      `${id}.${later}.${expires}.${signature}`,
      `${id}.${signedIn}.${expires}.${signature.slice(1)}A`,
      `${id}.${signedIn}.${expires}.`,
      `${id}.${signedIn}.${expires}`,
      `${other}.${signedIn}.${expires}.${signature}`,
      `${signedIn}.${expires}.${signature}`,
      `${value}.`,
      ` ${value}`,
      `${id}.${signedIn}.${expires}.${'A'.repeat(43)}`,
    ]) {
      expect(sessions.read(forged, NOW), forged).toBeUndefined();
    }
  });

  it('is renewed by use once it is ten minutes old, up to twelve hours', () => {
    expect(sessions.renew(session, NOW + 10 * MINUTE - 1)).toBeUndefined();
    let at = NOW + 10 * MINUTE;
    let begun = sessions.renew(session, at);
    expect(begun?.session).toEqual({ ...session, expiresAt: at + 60 * MINUTE });
    let longest = 0;
    while (begun !== undefined) {
      longest = begun.session.expiresAt;
      at += 30 * MINUTE;
      begun = sessions.renew(begun.session, at);
    }
    expect(longest).toBe(NOW + 12 * 60 * MINUTE);
  });
});

describe('a session that is signed out', () => {
  it('ends with its renewals, and is kept as long as one could last', () => {
    const sessions = new OperatorSessions(KEYS, SECRETS);
    const { session, value } = sessions.begin(0, NOW);
    const other = sessions.begin(0, NOW);
    let last = value;
    for (let at = NOW + 30 * MINUTE; ; at += 30 * MINUTE) {
      const renewed = sessions.renew(sessions.read(last, at) ?? session, at);
      if (renewed === undefined) break;
      last = renewed.value;
    }
    const end = NOW + 12 * 60 * MINUTE - 1;
    expect(sessions.read(last, end)).toBeDefined();
    sessions.end(session, NOW + MINUTE);
    for (let n = 0; n < 100; n++) sessions.end(sessions.begin(0, end).session, end);
    expect(sessions.read(value, NOW + MINUTE)).toBeUndefined();
    expect(sessions.read(last, end)).toBeUndefined();
    expect(sessions.read(other.value, NOW + MINUTE)).toEqual(other.session);
  });
});

describe('a token at the terminal', () => {
  it('signs in once', () => {
    const token = new SignInToken(NOW);
    expect(token.value).toMatch(/^[\w-]{43}$/);
    expect(new SignInToken(NOW).value).not.toBe(token.value);
    expect(token.redeem('wrong', NOW)).toBe(false);
    expect(token.redeem(token.value, NOW)).toBe(true);
    expect(token.redeem(token.value, NOW)).toBe(false);
  });

  it('and only within a quarter of an hour', () => {
    const token = new SignInToken(NOW);
    expect(token.redeem(token.value, NOW + 15 * MINUTE)).toBe(false);
    expect(token.redeem(token.value, NOW + 15 * MINUTE - 1)).toBe(true);
  });
});
