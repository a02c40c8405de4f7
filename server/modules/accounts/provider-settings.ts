import type { Config } from '../../platform/config/config.ts';
import type { accountsSettings } from './settings.ts';

export interface ProviderSettings {
  readonly id: 'google' | 'github' | 'oidc';
  /** What stands on its button. */
  readonly name: string;
  /** Undefined while a setting is missing: the provider is not offered. */
  readonly client: { readonly clientId: string; readonly clientSecret: string } | undefined;
  /** The names of settings that are missing. */
  readonly missing: readonly string[];
}

/** @returns The providers for which anything is set. */
export function providersOf({
  google,
  github,
  oidc,
}: Config<typeof accountsSettings>['accounts']): readonly ProviderSettings[] {
  const all = [
    { id: 'google', name: 'Google', client: google, further: {} },
    { id: 'github', name: 'GitHub', client: github, further: {} },
    { id: 'oidc', name: oidc.name, client: oidc, further: { OIDC_ISSUER: oidc.issuer } },
  ] as const;
  return all.flatMap(({ id, name, client: { clientId, clientSecret }, further }) => {
    const prefix = id.toUpperCase();
    const settings = Object.entries({
      ...further,
      [`${prefix}_CLIENT_ID`]: clientId,
      [`${prefix}_CLIENT_SECRET`]: clientSecret,
    });
    const missing = settings.flatMap(([setting, value]) => (value ? [] : [setting]));
    if (missing.length === settings.length) return [];
    const client = missing.length === 0 && clientId && clientSecret ? { clientId, clientSecret } : undefined;
    return [{ id, name, client, missing }];
  });
}
