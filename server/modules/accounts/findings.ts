import { createHash } from 'node:crypto';
import { and, count, eq, inArray, lt, or, sql } from 'drizzle-orm';
import type { Mailer } from '../../platform/mailer.ts';
import type { Finding, Platform, Verdict } from '../../platform/parts.ts';
import { providersOf } from './provider-settings.ts';
import { OPERATOR } from './roles.ts';
import type { accountsSettings } from './settings.ts';
import { hasRole, passkeys, secretsSeen, users } from './table.ts';

/** NIST SP 800-57 part 1, 5.3.6, asks for a period in use of each kind of key; a month is what most guides settle on. */
const MAX_SECRET_DAYS = 30;

export interface FindingOptions {
  platform: Pick<Platform<typeof accountsSettings>, 'config' | 'db'>;
  /** Who may sign up, and whether an address is proved by a mail before. */
  service: { readonly signUp: 'open' | 'invitation'; readonly verifies: boolean };
  mail?: Pick<Mailer, 'delivers'> | undefined;
}

/** What accounts lack for production. */
export function accountsFindings({ platform, service, mail }: FindingOptions): readonly Finding[] {
  const { config, db } = platform;
  return [
    { name: 'accounts', title: 'Accounts', judge: () => configured(config) },
    { name: 'sign-up', title: 'Sign-up', judge: () => signUp(service, mail) },
    { name: 'providers', title: 'Sign-in with providers', judge: () => providers(config) },
    { name: 'operators', title: 'Operators', judge: () => operators(platform) },
    {
      name: 'secret-age',
      title: 'Age of secrets',
      async judge() {
        const old = await secretsOlderThan(db, secretsOf(config), MAX_SECRET_DAYS);
        if (old.length === 0) return pass(`None was seen first more than ${MAX_SECRET_DAYS} days ago.`);
        return {
          status: 'warn',
          detail: `In use for more than ${MAX_SECRET_DAYS} days: ${old.join(', ')}.`,
          remedy:
            'Rotate them (docs/deploying.md, Accounts). Those that are comma-separated take a new one first.',
        };
      },
    },
  ];
}

type Configuration = FindingOptions['platform']['config'];

const pass = (detail: string): Verdict => ({ status: 'pass', detail });

function configured({ sessionSecrets, publicUrl }: Configuration): Verdict {
  const missing = [
    ...(sessionSecrets.length > 0 ? [] : ['SESSION_SECRET']),
    ...(publicUrl === undefined ? ['PUBLIC_URL'] : []),
  ];
  if (missing.length > 0)
    return {
      status: 'fail',
      detail: 'In production nobody can sign in or up.',
      remedy: `Set ${missing.join(' and ')}.`,
    };
  if (!publicUrl?.startsWith('https:'))
    return {
      status: 'fail',
      detail: `PUBLIC_URL is ${publicUrl}: passwords and sessions can be read in transit, and there are no passkeys.`,
      remedy: 'Add TLS, and set PUBLIC_URL to the https:// address.',
    };
  return pass('Sessions are signed, and their cookies are sent over TLS alone.');
}

function signUp({ signUp: who, verifies }: FindingOptions['service'], mail: FindingOptions['mail']): Verdict {
  const remedy = 'Set a mail provider (docs/deploying.md, Mail).';
  if (who === 'open' && !verifies)
    return {
      status: 'fail',
      detail: 'Everybody may sign up with any address, also one that is not theirs: no mail proves it.',
      remedy: `${remedy} Or set SIGN_UP=invitation.`,
    };
  if (mail?.delivers !== true)
    return {
      status: 'warn',
      detail:
        'No mail leaves this server: a password that is forgotten cannot be reset, and links of invitations are handed over by operators.',
      remedy,
    };
  return pass(
    who === 'open' ? 'Everybody may sign up who proves their address.' : 'Only those who are invited.',
  );
}

function providers({ accounts }: Configuration): Verdict {
  const begun = providersOf(accounts);
  const missing = begun.flatMap((provider) => provider.missing);
  if (missing.length > 0)
    return {
      status: 'warn',
      detail: 'A provider is set by half, so its button is not shown.',
      remedy: `Set ${missing.join(' and ')}.`,
    };
  return pass(begun.length === 0 ? 'None is set.' : 'Each that is set is complete.');
}

async function operators({ db, config }: FindingOptions['platform']): Promise<Verdict> {
  const protects = or(
    eq(users.twoFactorEnabled, true),
    inArray(users.id, db.select({ id: passkeys.userId }).from(passkeys)),
  );
  const [found] = await db
    .select({ all: count(), safe: count(sql`case when ${protects} then 1 end`) })
    .from(users)
    .where(hasRole(OPERATOR));
  const { all = 0, safe = 0 } = found ?? {};
  if (all === 0)
    return {
      status: 'warn',
      detail: 'No person is an operator; only keys of INTERNAL_API_KEY are.',
      remedy: 'Make the first: node dist/server/main.js admin create EMAIL, or open /setup.',
    };
  if (safe < all)
    return {
      status: 'fail',
      detail: `${all - safe} of ${all} operators have neither a passkey nor an authenticator app.`,
      remedy:
        config.accounts.requireMfa === 'operators'
          ? 'They cannot use operators’ screens until they have: tell them, or take the role away.'
          : 'Set REQUIRE_MFA=operators.',
    };
  return pass(`Each of ${all} has a second factor.`);
}

/** Those that this server knows and that can be rotated, by the setting. */
function secretsOf({
  internalApiKeys,
  sessionSecrets,
  accounts,
}: Configuration): [name: string, value: string][] {
  const { google, github, oidc } = accounts;
  const single = {
    GOOGLE_CLIENT_SECRET: google.clientSecret,
    GITHUB_CLIENT_SECRET: github.clientSecret,
    OIDC_CLIENT_SECRET: oidc.clientSecret,
  };
  return [
    ...internalApiKeys.map((value): [string, string] => ['INTERNAL_API_KEY', value]),
    ...sessionSecrets.map((value): [string, string] => ['SESSION_SECRET', value]),
    ...Object.entries(single).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ];
}

/**
 * Notes secrets that were not seen before, by the first 48 bits of a hash.
 *
 * @returns The settings of which one was first seen longer ago.
 * @throws DatabaseUnavailableError
 */
export async function secretsOlderThan(
  db: FindingOptions['platform']['db'],
  secrets: readonly (readonly [name: string, value: string])[],
  days: number,
): Promise<string[]> {
  if (secrets.length === 0) return [];
  const fingerprints = secrets.map(([name, value]) => {
    const hash = createHash('sha256').update(`${name}\n${value}`).digest('hex');
    return `${name}:${hash.slice(0, 12)}`;
  });
  await db
    .insert(secretsSeen)
    .values(fingerprints.map((fingerprint) => ({ fingerprint })))
    .onConflictDoNothing();
  const old = await db
    .select({ fingerprint: secretsSeen.fingerprint })
    .from(secretsSeen)
    .where(
      and(
        inArray(secretsSeen.fingerprint, fingerprints),
        lt(secretsSeen.firstSeenAt, sql`now() - make_interval(days => ${days})`),
      ),
    );
  return [...new Set(old.map(({ fingerprint }) => fingerprint.split(':')[0] as string))].sort();
}
