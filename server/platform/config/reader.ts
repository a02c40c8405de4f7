import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
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
import { basics } from './settings.ts';
import { ENVIRONMENT, environmentSource, fileSource, platformOf, type Source } from './sources.ts';

/** A variable that holds a setting. */
interface Found {
  text: string;
  /** It may be an alias or a `NAME_FILE`. */
  variable: string;
  /** The source's. */
  label: string;
  origin: string;
}

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
    this.#sources = [environmentSource(env), fileSource(folder, '.env', warn)];
    this.context = { environment: 'production', platform: platformOf(env, inContainer), folder, warn };
    this.context.environment = this.#valueOf(basics.environment) as Context['environment'];
    if (this.context.environment === 'production')
      this.#sources.splice(1, 0, fileSource(folder, '.env.production', warn));
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

  problem(
    name: string,
    problem: string,
    remedy: string,
    found: Found | undefined = this.#found.get(name),
  ): void {
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
      this.#reporting(env, () => {
        value = setting.parse(found.text, this.context, env);
        origin = found.origin;
      });
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
      const [first, ...others] = this.#findAll(setting, source).filter(({ text }) => text !== '');
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

  /** What one source holds for a setting: under its name, its aliases and their `_FILE`s. */
  #findAll(setting: Setting, { label, variables }: Source): Found[] {
    const { env, aliases = [], rewritten = {} } = setting;
    const direct = (variable: string): Found => ({
      text: tidy(variables[variable], setting),
      variable,
      label,
      origin: variable === env ? label : `alias ${variable}`,
    });
    const found = [env, ...aliases].flatMap((variable) => {
      const path = setting.secret && variables[`${variable}_FILE`]?.trim();
      const file = { text: '', variable: `${variable}_FILE`, label, origin: `${variable}_FILE` };
      return path ? [direct(variable), this.#readFile(setting, path, file)] : direct(variable);
    });
    for (const [variable, rewrite] of Object.entries(rewritten)) {
      const one = direct(variable);
      this.#reporting(
        env,
        () => {
          if (one.text) found.push({ ...one, text: rewrite(one.text) });
        },
        one,
      );
    }
    return found;
  }

  #readFile(setting: Setting, path: string, found: Found): Found {
    try {
      found.text = tidy(readFileSync(resolve(this.context.folder, path), 'utf8'), setting);
      if (!found.text)
        this.problem(setting.env, `names an empty file, ${path}`, 'Write the secret into it.', found);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const remedy = 'Correct the path, or let the user that runs the server read the file.';
      this.problem(setting.env, `names a file that cannot be read, ${path} (${code})`, remedy, found);
    }
    return found;
  }

  /** Collects a `Refusal`. */
  #reporting(name: string, work: () => void, found?: Found): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem(name, error.message, error.remedy, found);
    }
  }
}

/** Secrets keep their spaces, but not the line ending that files and orchestrators add. */
function tidy(text: string | undefined, setting: Setting): string {
  if (!text?.trim()) return '';
  return setting.secret === 'value' ? text.replace(/[\r\n]+$/, '') : text.trim();
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
