import { readFileSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { prerenderedShell } from './client/prerendered-shell.ts';

const { name } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
  name: string;
};

/** The package's name as people read it: `my-app` is shown as `My app`. */
const appName = name
  .replace(/^@[^/]+\//, '')
  .replaceAll('-', ' ')
  .replace(/^./, (first) => first.toUpperCase());

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const VENDOR = 'vendor';

/**
 * Stack traces in the log name our sources, by the maps of our own files. The map of all packages together is twenty
 * times as large, and their frames are readable without it.
 */
async function leaveOutVendorMap(): Promise<void> {
  const file = here(`dist/server/${VENDOR}.js`);
  const code = await readFile(file, 'utf8');
  await writeFile(file, code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'));
  await rm(`${file}.map`);
}

export default defineConfig({
  root: here('client'),
  resolve: { alias: { '@': here('client/src') } },
  define: { 'import.meta.env.APP_NAME': JSON.stringify(appName) },
  plugins: [react(), tailwind(), prerenderedShell()],
  environments: {
    client: {
      build: {
        outDir: here('dist/client'),
        emptyOutDir: true,
        // Assets inlined as data: addresses would need a looser policy, and the polyfill is not needed by current browsers.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: {
          output: {
            codeSplitting: {
              groups: [
                // What changes only with an update of packages keeps its name, and the browser's copy, over deployments.
                {
                  name: 'vendor',
                  test: /node_modules\/(react|react-dom|scheduler|@tanstack\/(history|router-core|react-router|store|react-store))\//,
                },
                // One file of shared pieces compresses better and arrives sooner than a dozen.
                { name: 'shared', test: /client\/src\/(components|lib)\//, minShareCount: 2 },
              ],
            },
          },
        },
      },
    },
    // The server in one piece: it runs with no node_modules beside it.
    server: {
      consumer: 'server',
      resolve: { noExternal: true, external: ['vite', 'pg-native'] },
      build: {
        outDir: here('dist/server'),
        emptyOutDir: true,
        target: 'node24',
        sourcemap: true,
        copyPublicDir: false,
        rolldownOptions: {
          input: { main: here('server/main.ts') },
          // CommonJS starts faster than ES modules, and V8's compile cache serves it whole.
          output: {
            format: 'cjs',
            entryFileNames: '[name].js',
            chunkFileNames: '[name].js',
            // What start-up loads of packages in one file, apart from our code: see leaveOutVendorMap.
            codeSplitting: {
              groups: [{ name: VENDOR, test: /node_modules\/(?!pino-pretty|rotating-file-stream)/ }],
            },
          },
        },
      },
    },
  },
  builder: {
    async buildApp(builder) {
      for (const environment of Object.values(builder.environments)) await builder.build(environment);
      await leaveOutVendorMap();
      await cp(here('drizzle'), here('dist/drizzle'), { recursive: true });
      // Wherever dist is copied to, Node reads its files as what they are.
      await writeFile(here('dist/server/package.json'), '{ "type": "commonjs" }\n');
    },
  },
});
