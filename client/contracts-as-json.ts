import { fileURLToPath } from 'node:url';
import { type Plugin, runnerImport } from 'vite';

const CONTRACTS = fileURLToPath(new URL('../contracts/', import.meta.url));

/**
 * Replaces a file of `contracts/` in the browser by the plain JSON of what it exports, so that forms take their rules
 * from the same schemas as the server while the schema library stays out of the browser. Responses are left out: only
 * their types are used.
 */
export function contractsAsJson(): Plugin {
  return {
    name: 'contracts-as-json',
    enforce: 'pre',
    applyToEnvironment: ({ config }) => config.consumer === 'client',
    async load(id) {
      if (!id.startsWith(CONTRACTS)) return undefined;
      const { module, dependencies } = await runnerImport<Record<string, unknown>>(id, { configFile: false });
      for (const file of dependencies) this.addWatchFile(file);
      return Object.entries(module)
        .filter(([, value]) => typeof value !== 'function')
        .map(([name, value]) => `export const ${name} = ${JSON.stringify(value, withoutResponses)};\n`)
        .join('');
    },
  };
}

/** For `JSON.stringify`: leaves out the responses of a route, which are an object by status. */
const withoutResponses = (key: string, value: unknown) =>
  key === 'schema' && value !== null && typeof value === 'object' ? { ...value, response: undefined } : value;
