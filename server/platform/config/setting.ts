/** What a setting is, and how settings are declared: nested like their values, each once. */

export type Environment = 'production' | 'development' | 'test';

export interface Platform {
  /** Replit: its editor's preview, or a published deployment. */
  replit: 'workspace' | 'deployment' | undefined;
  kubernetes: boolean;
  /** Inside a container of any make, Kubernetes included. */
  container: boolean;
}

/** What a default or a parser may depend on, and how it reports a warning. */
export interface Context {
  environment: Environment;
  platform: Platform;
  /** The folder that the server runs in: relative paths start from it. */
  folder: string;
  warn(text: string): void;
}

/** Thrown by a parser: what is wrong with the value (never a secret's value), and what to write instead. */
export class Refusal extends Error {
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

/** Parses the text of a variable. The parsers are in values.ts. */
export interface Parser<T> {
  /** What a value may be, in words. */
  kind: string;
  /** What a number counts. */
  unit?: 'ms' | 'bytes' | undefined;
  /** `value`: never shown at all. `url`: shown without its credentials. Both are also read from `NAME_FILE`. */
  secret?: 'value' | 'url';
  /**
   * @param name The setting's variable, for a warning.
   * @throws Refusal
   */
  parse(text: string, context: Context, name: string): T;
}

/** What describes a setting, besides its parser. */
interface About {
  /** One or two sentences for the documentation. */
  doc: string;
  /** The default in words, if it is computed or not this server's. */
  defaultText?: string;
  secret?: 'value' | 'url';
  /** Development makes a random value if none is set, and keeps it in the data folder. */
  madeInDevelopment?: true;
  /** Exact synonyms that other guides use. */
  aliases?: readonly string[];
  /** Variables of other guides that hold this setting in another form, each with a conversion, which may throw a `Refusal`. */
  rewritten?: Readonly<Record<string, (text: string) => string>>;
}

export interface Setting<T = unknown, Env extends string = string> extends Parser<T>, About {
  /** Its environment variable. */
  readonly env: Env;
  /** Its heading in the documentation. */
  group: string;
  default?: T | ((context: Context) => T);
}

/** Settings, nested as their values are in the configuration. */
export interface Declaration {
  readonly [key: string]: Setting | Declaration;
}

/** Settings that the platform does not know. */
export type UnknownSettings = Record<never, never>;

/** The values of a declaration. */
export type ConfigOf<D> = {
  [Key in keyof D]: D[Key] extends Setting<infer T> ? T : ConfigOf<D[Key]>;
};

/** The variables of a declaration. */
export type NameOf<D> =
  D extends Setting<unknown, infer Env> ? Env : { [K in keyof D]: NameOf<D[K]> }[keyof D];

/**
 * Declares a setting.
 *
 * @param env Its environment variable.
 * @param parser `integer(1, 10)`, `boolean`, `choice('a', 'b')`, … of values.ts.
 * @param about Its default and its documentation. Without a default, a setting that is not set is undefined.
 */
export function setting<T, const Env extends string>(
  env: Env,
  parser: Parser<T>,
  about: About & { default: NoInfer<T> | ((context: Context) => NoInfer<T>) },
): Setting<T, Env>;
export function setting<T, const Env extends string>(
  env: Env,
  parser: Parser<T>,
  about: About,
): Setting<T | undefined, Env>;
export function setting(env: string, parser: Parser<unknown>, about: About): Setting {
  return { env, group: 'Application', ...parser, ...about };
}

/** Puts settings under a heading of the documentation; the heading is `Application` otherwise. */
export function inGroup<const D extends Declaration>(group: string, declaration: D): D {
  const entries = Object.entries(declaration).map(([key, entry]) => [
    key,
    isSetting(entry) ? { ...entry, group } : inGroup(group, entry),
  ]);
  return Object.fromEntries(entries);
}

export const isSetting = (entry: Setting | Declaration): entry is Setting => typeof entry.env === 'string';

/** @returns Every setting of a declaration, in its order. */
export function settingsOf(declaration: Declaration): Setting[] {
  return Object.values(declaration).flatMap((entry) => (isSetting(entry) ? entry : settingsOf(entry)));
}
