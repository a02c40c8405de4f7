import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import util from 'node:util';
import type { Platform } from './setting.ts';

/** Where settings come from: the environment and `.env` files. */

export const ENVIRONMENT = 'environment';

/** The first source that holds a setting decides it. */
export interface Source {
  /** `environment`, the name of a file, or `generated`. */
  label: string;
  variables: Record<string, string | undefined>;
}

/** A copy, because each access of `process.env` is a system call; on Windows its names have no case. */
export function environmentSource(env: NodeJS.ProcessEnv): Source {
  const nameOf = (name: string) => (process.platform === 'win32' ? name.toUpperCase() : name);
  const entries = Object.entries(env).map(([name, value]) => [nameOf(name), value]);
  return { label: ENVIRONMENT, variables: Object.fromEntries(entries) };
}

/**
 * @param warn Called if the file exists but cannot be read.
 * @returns A source without variables if there is no readable file.
 */
export function fileSource(folder: string, label: string, warn: (text: string) => void): Source {
  try {
    const text = readFileSync(join(folder, label), 'utf8').replace(/^\uFEFF/, '');
    return { label, variables: util.parseEnv(text) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') warn(`${label} could not be read (${code}) and is ignored.`);
    return { label, variables: {} };
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
