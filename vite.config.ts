import { readFileSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { contractsAsJson } from './client/contracts-as-json.ts';
import { preloadFont } from './client/preload-font.ts';
import { prerenderedShell } from './client/prerendered-shell.ts';
import { readParts } from './scripts/strip/parts.ts';

const { name } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
  name: string;
};

/** The package's name as people read it: `my-app` is shown as `My app`. */
const appName = name
  .replace(/^@[^/]+\//, '')
  .replaceAll('-', ' ')
  .replace(/^./, (first) => first.toUpperCase());

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What `npm run strip` may remove, for the first steps of the home screen. */
const parts = readParts(here('.'))
  .filter(({ isTemplates }) => isTemplates)
  .map(({ name, kind, for: purpose, needs, firstSteps = [] }) => ({
    name,
    kind,
    for: purpose,
    needs,
    firstSteps,
  }));

const VENDOR = 'vendor';

/**
 * Stack traces in the log name our sources, by the maps of our own files. The map of all packages together is twenty
 * times as large, and their frames are readable without it.
 */
async function leaveOutVendorMap(): Promise<void> {
  const folder = here('dist/server');
  const files = (await readdir(folder)).filter((name) => name.startsWith(VENDOR) && name.endsWith('.js'));
  for (const file of files.map((name) => join(folder, name))) {
    const code = await readFile(file, 'utf8');
    await writeFile(file, code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'));
    await rm(`${file}.map`);
  }
}

const { BROTLI_PARAM_QUALITY, ZSTD_c_compressionLevel } = zlib.constants;
/** The forms that the server sends of each file of the client, by ending. The build takes the time that a request has not. */
const FORMS: Record<string, (content: Buffer) => Promise<Buffer>> = {
  '.br': (content) => promisify(zlib.brotliCompress)(content, { params: { [BROTLI_PARAM_QUALITY]: 11 } }),
  '.zst': (content) => promisify(zlib.zstdCompress)(content, { params: { [ZSTD_c_compressionLevel]: 19 } }),
  '.gz': (content) => promisify(zlib.gzip)(content, { level: 9 }),
};
/** Smaller files fit into one packet as they are. */
const MIN_COMPRESS_BYTES = 512;
/** A form that saves less is not worth unpacking. */
const MAX_SHARE_OF_ORIGINAL = 0.9;

/** Writes the compressed forms of every file beside it, where they are smaller. */
async function compressClient(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  await Promise.all(
    entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
      .map(async (entry) => {
        const file = join(entry.parentPath, entry.name);
        const content = await readFile(file);
        if (content.length < MIN_COMPRESS_BYTES) return;
        for (const [ending, compress] of Object.entries(FORMS)) {
          const form = await compress(content);
          if (form.length < content.length * MAX_SHARE_OF_ORIGINAL) await writeFile(file + ending, form);
        }
      }),
  );
}

export default defineConfig({
  root: here('client'),
  resolve: {
    alias: [
      // The kit under the name that people know from shadcn/ui.
      { find: /^@\/components\/ui\/(.+)$/, replacement: `${here('client/src/kit/components')}/$1.tsx` },
      { find: '@', replacement: here('client/src') },
    ],
  },
  define: {
    'import.meta.env.APP_NAME': JSON.stringify(appName),
    'import.meta.env.PARTS': JSON.stringify(parts),
  },
  plugins: [react(), tailwind(), contractsAsJson(), preloadFont(), prerenderedShell()],
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
                // What every visit needs of the query library: whether the server can be reached.
                {
                  name: 'online',
                  test: /node_modules\/@tanstack\/query-core\/.*\/(subscribable|onlineManager)\./,
                },
                // What the library's classes extend: in one of two chunks that import each other it would be undefined when the other runs.
                {
                  name: 'query',
                  test: /node_modules\/@tanstack\/query-core\/.*\/(removable|retryer|thenable|utils|\w+Manager)\./,
                },
                // What every visit loads, in one file: it compresses better and arrives sooner than a dozen.
                { name: 'shared', test: /client\/src\/(?!main\.tsx)/, tags: ['$initial'] },
                // The kit's library, by which screens use what of it.
                {
                  name: 'base-ui',
                  test: /node_modules\/@(base-ui|floating-ui)\//,
                  entriesAware: true,
                  entriesAwareMergeThreshold: 20_000,
                },
                // For operators alone.
                { name: 'operator', test: /client\/src\/kit\/operator\//, minShareCount: 2 },
                // What several screens use, by which of them: home waits for nothing that it does not show.
                {
                  name: 'pieces',
                  test: /client\/src\/kit\//,
                  minShareCount: 2,
                  entriesAware: true,
                  entriesAwareMergeThreshold: 20_000,
                },
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
          input: {
            main: here('server/main.ts'),
            healthcheck: here('server/platform/process/healthcheck.ts'),
          },
          // CommonJS starts faster than ES modules, and V8's compile cache serves it whole.
          output: {
            format: 'cjs',
            entryFileNames: '[name].js',
            chunkFileNames: '[name].js',
            // What start-up loads of packages in one file, apart from our code: see leaveOutVendorMap.
            codeSplitting: {
              // By entry: what only some requests need (@fastify/static, compress, cors) waits in files of its own.
              groups: [{ name: VENDOR, test: /node_modules/, entriesAware: true }],
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
      await compressClient(here('dist/client'));
      // Emptied first: a migration that is no longer there would be refused at the start.
      await rm(here('dist/drizzle'), { recursive: true, force: true });
      await cp(here('drizzle'), here('dist/drizzle'), { recursive: true });
      // Wherever dist is copied to, Node reads its files as what they are.
      await writeFile(here('dist/server/package.json'), '{ "type": "commonjs" }\n');
    },
  },
});
