import type { ConfigProblem } from './problems.ts';
import { developmentSecrets } from './secrets.ts';
import {
  type ConfigOf,
  type Context,
  type Declaration,
  isSetting,
  Refusal,
  type Setting,
  settingsOf,
} from './setting.ts';
import { basics } from './settings/basics.ts';
import {
  ENVIRONMENT,
  environmentSource,
  type Found,
  fileSource,
  findAll,
  platformOf,
  type Source,
} from './sources.ts';

/** One line of the operators' page on configuration. */
export interface EffectiveSetting {
  name: string;
  group: string;
  doc: string;
  /** As text; secrets are masked. */
  value: string;
  /** `default`, `environment`, `.env`, `.env.production`, `NAME_FILE`, `alias NAME` or `generated`. */
  origin: string;
}

/** Reads settings, and collects errors and warnings about them. */
export class Reader {
  readonly context: Context;
  readonly settings: EffectiveSetting[] = [];
  readonly warnings: string[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #folder: string;
  readonly #sources: Source[];
  readonly #values = new Map<string, unknown>();
  readonly #found = new Map<string, Found>();
  readonly #refused = new Set<string>();
  /** The settings that each alias is read as. */
  readonly #aliases = new Map<string, Set<string>>();

  /**
   * @param env Variables of the process.
   * @param folder Where `.env` lies; relative paths start from it.
   * @param inContainer Whether this is a container, if that is known.
   */
  constructor(env: NodeJS.ProcessEnv, folder: string, inContainer?: boolean) {
    const warn = (text: string) => this.warn(text);
    const file = (label: string): Source[] => [fileSource(folder, label, warn) ?? []].flat();
    this.#folder = folder;
    const environment = environmentSource(env);
    const dotEnv = file('.env');
    this.#sources = [environment, ...dotEnv];
    this.context = { environment: 'production', platform: platformOf(env, inContainer), folder, warn };
    this.context.environment = this.#valueOf(basics.environment) as Context['environment'];
    if (this.context.environment === 'production')
      this.#sources = [environment, ...file('.env.production'), ...dotEnv];
  }

  /** The values of a declaration. An invalid one gets its default, so that the others are checked as well. */
  read<D extends Declaration>(declaration: D): ConfigOf<D> {
    const entries = Object.entries(declaration).map(([key, entry]) => [
      key,
      isSetting(entry) ? this.#valueOf(entry) : this.read(entry),
    ]);
    return Object.fromEntries(entries);
  }

  /** Every variable that is set, with its text. */
  variables(): Record<string, string | undefined> {
    return Object.assign({}, ...this.#sources.map((source) => source.variables).toReversed());
  }

  /** Each text once, although two connections may cause it. */
  warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text);
  }

  warnAboutAliases(): void {
    for (const [alias, names] of this.#aliases) this.warn(`${alias} is read as ${[...names].join(' and ')}.`);
  }

  problem(name: string, problem: string, remedy: string, found = this.#found.get(name)): void {
    const variable = found?.variable ?? name;
    this.#refused.add(name);
    if (this.problems.some((known) => known.variable === variable && known.problem === problem)) return;
    const file = found && found.label !== ENVIRONMENT ? { file: found.label } : {};
    this.problems.push({ variable, problem, remedy, ...file });
  }

  /** Whether something invalid was set. */
  isRefused(name: string): boolean {
    return this.#refused.has(name);
  }

  /** Whether something valid was set. */
  isGiven(name: string): boolean {
    return this.#found.has(name) && !this.isRefused(name);
  }

  /**
   * Makes those secrets of development that are not set. They are kept in a file, and read like any other source.
   *
   * @param file JSON, for its owner only.
   */
  makeMissing(declaration: Declaration, file: string): void {
    const missing = settingsOf(declaration)
      .filter((setting) => setting.madeInDevelopment && !this.#find(setting))
      .map(({ env }) => env);
    if (missing.length === 0) return;
    const { secrets, error } = developmentSecrets(file, missing);
    if (error) {
      this.warn(
        `${file} could not be written (${error}): ${missing.join(' and ')} will be new at every start.`,
      );
    }
    const variables = Object.fromEntries(missing.map((name) => [name, secrets[name]]));
    this.#sources.push({ label: 'generated', variables });
  }

  #valueOf(setting: Setting): unknown {
    const { env, group, doc } = setting;
    if (this.#values.has(env)) return this.#values.get(env);
    const found = this.#find(setting);
    let value: unknown;
    let origin = 'default';
    if (found) {
      this.#found.set(env, found);
      try {
        value = setting.parse(found.text, this.context, env);
        origin = found.origin;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.problem(env, error.message, error.remedy);
      }
    }
    if (origin === 'default') {
      value = typeof setting.default === 'function' ? setting.default(this.context) : setting.default;
    }
    this.#values.set(env, value);
    this.settings.push({ name: env, group, doc, value: shown(setting, value), origin });
    return value;
  }

  /** The first source that has it decides. Within one source, all names of a setting must have the same value. */
  #find(setting: Setting): Found | undefined {
    const { env } = setting;
    for (const source of this.#sources) {
      const [first, ...others] = findAll(setting, source, this.#folder, (problem, remedy, found) =>
        this.problem(env, problem, remedy, found),
      );
      if (!first) continue;
      const different = others.find(({ text }) => text !== first.text);
      if (different) {
        const problem = `has another value than ${different.variable}, and both are the same setting`;
        this.problem(env, problem, `Keep one of them: ${env}.`, first);
      }
      if (first.variable !== env && first.variable !== `${env}_FILE`) {
        this.#aliases.set(first.variable, (this.#aliases.get(first.variable) ?? new Set()).add(env));
      }
      return first;
    }
    return undefined;
  }
}

const MASK = '(secret)';

function shown(setting: Setting, value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  if (setting.secret === 'value') return MASK;
  if (setting.secret !== 'url') {
    const text = Array.isArray(value) ? value.join(',') : String(value);
    // A file of certificates may hold a key as well.
    return text.includes('-----BEGIN') ? '(PEM text)' : text;
  }
  const url = URL.parse(String(value));
  // An @ behind the host is that of a password that was not encoded, part of which would be shown.
  const isWhole = url && !`${url.pathname}${url.search}${url.hash}`.includes('@');
  return isWhole ? `${url.protocol}//${MASK}@${url.host}${url.pathname}` : MASK;
}
