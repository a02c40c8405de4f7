import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import util from 'node:util';
import { type Platform, Refusal, type Setting } from './setting.ts';

/** Where settings come from: the environment, `.env` files, and the files that `NAME_FILE` names. */

export const ENVIRONMENT = 'environment';

/** The first source that holds a setting decides it. */
export interface Source {
  /** `environment`, the name of a file, or `generated`. */
  label: string;
  variables: Record<string, string | undefined>;
}

export interface Found {
  text: string;
  /** The variable that held it; it may be an alias or a `NAME_FILE`. */
  variable: string;
  /** Which of the sources. */
  label: string;
  /** For {@link EffectiveSetting}. */
  origin: string;
}

/** A copy, because each access of `process.env` is a system call; on Windows its names have no case. */
export function environmentSource(env: NodeJS.ProcessEnv): Source {
  const variables =
    process.platform === 'win32'
      ? Object.fromEntries(Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]))
      : { ...env };
  return { label: ENVIRONMENT, variables };
}

/**
 * @param warn Called if the file exists but cannot be read.
 * @returns Undefined if there is no readable file.
 */
export function fileSource(folder: string, label: string, warn: (text: string) => void): Source | undefined {
  try {
    const text = readFileSync(join(folder, label), 'utf8').replace(/^\uFEFF/, '');
    return { label, variables: util.parseEnv(text) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') warn(`${label} could not be read (${code}) and is ignored.`);
    return undefined;
  }
}

/** Where this process runs, according to the environment. */
export function platformOf(env: NodeJS.ProcessEnv, inContainer?: boolean): Platform {
  const kubernetes = Boolean(env.KUBERNETES_SERVICE_HOST);
  return {
    replit: env.REPLIT_DEPLOYMENT === '1' ? 'deployment' : env.REPL_ID ? 'workspace' : undefined,
    kubernetes,
    // Podman sets `container`, and a read-only container hides its mark in /run; Docker only leaves a mark.
    container:
      kubernetes ||
      Boolean(env.container) ||
      (inContainer ?? (existsSync('/.dockerenv') || existsSync('/run/.containerenv'))),
  };
}

/** @param found Where the problem is. */
export type Refuse = (problem: string, remedy: string, found: Found) => void;

/**
 * Everything that one source holds for a setting: under its name, its aliases and their `_FILE`s.
 *
 * @param folder Where relative paths start from.
 */
export function findAll(setting: Setting, source: Source, folder: string, refuse: Refuse): Found[] {
  const { env, aliases = [], rewritten = {}, secret } = setting;
  const { label, variables } = source;
  const found = [env, ...aliases].flatMap((variable): Found[] => {
    const origin = variable === env ? label : `alias ${variable}`;
    const direct = { text: tidy(variables[variable], setting), variable, label, origin };
    return secret ? [direct, readFile(setting, `${variable}_FILE`, source, folder, refuse)] : [direct];
  });
  for (const [variable, rewrite] of Object.entries(rewritten)) {
    const one = { text: tidy(variables[variable], setting), variable, label, origin: `alias ${variable}` };
    try {
      if (one.text) found.push({ ...one, text: rewrite(one.text) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(error.message, error.remedy, one);
    }
  }
  return found.filter(({ text }) => text !== '');
}

/** The text of the file that a variable names; empty if there is no usable file. */
function readFile(
  setting: Setting,
  variable: string,
  { label, variables }: Source,
  folder: string,
  refuse: Refuse,
): Found {
  const found = { text: '', variable, label, origin: variable };
  const path = variables[variable]?.trim();
  if (!path) return found;
  try {
    found.text = tidy(readFileSync(resolve(folder, path), 'utf8'), setting);
    if (!found.text) refuse(`names an empty file, ${path}`, 'Write the secret into it.', found);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const remedy = 'Correct the path, or let the user that runs the server read the file.';
    refuse(`names a file that cannot be read, ${path} (${code})`, remedy, found);
  }
  return found;
}

/** Secrets keep their spaces, but not the line ending that files and orchestrators add. */
function tidy(text: string | undefined, setting: Setting): string {
  if (!text?.trim()) return '';
  return setting.secret === 'value' ? text.replace(/[\r\n]+$/, '') : text.trim();
}
