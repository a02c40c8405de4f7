import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../../package.json' with { type: 'json' };

/** The application's own name and version, from `package.json`; and the name of this process among others that run it. */
export const about: { readonly name: string; readonly version: string; readonly instance: string } = {
  name: packageJson.name,
  version: packageJson.version,
  instance: `${hostname()}-${Math.floor(Math.random() * 0x1_000_000)
    .toString(16)
    .padStart(6, '0')}`,
};

/** Vite sets this in the build; in plain Node it is undefined. */
export const BUNDLED: boolean = import.meta.env?.PROD === true;

/** `server` from the sources, `dist/server` in the bundle. Its neighbours are the same in both. */
const here = join(dirname(fileURLToPath(import.meta.url)), BUNDLED ? '.' : '../..');
export const ROOT: string = join(here, '..');
export const MIGRATIONS: string = join(ROOT, 'drizzle');
/** The client as Vite built it. */
export const BUILT_CLIENT: string = join(ROOT, BUNDLED ? 'client' : 'dist/client');
