/**
 * Adds the built client: its files, and `index.html` for every address of the client's router.
 *
 * It stands last, for what nothing else answers. Files are read at start, with the compressed forms that the build made, and
 * served from memory. A path from a request never reaches the file system: it names one of these files or none.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../../lib/problem.ts';
import { ENCODINGS, type Encoding, hashOf, makeResource, type Resource, sendResource } from './resource.ts';

const TYPES: Record<string, string> = {
  '.avif': 'image/avif',
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webm': 'video/webm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml; charset=utf-8',
};

/** Names under assets/ contain a hash of the content; browsers ask again for everything else. */
const isHashed = (url: string) => url.startsWith('/assets/');
const cacheControlOf = (url: string) => (isHashed(url) ? 'public, max-age=31536000, immutable' : 'no-cache');

/** What requests for a file are counted under: there are many files, and each build names them anew. */
const countedAs = (url: string): string => (isHashed(url) ? '/assets/*' : '/*');

export interface ClientOptions {
  /** The client as Vite built it. */
  folder: string;
  /** A larger file is streamed from the disk, in bytes. */
  maxFileBytes?: number;
  /** Files beyond this total are streamed as well, in bytes. */
  maxTotalBytes?: number;
}

/** With its compressed forms each is up to four open files, of which a process may have few. */
const FILES_AT_ONCE = 8;

/**
 * @throws Error naming the remedy when there is no built client.
 */
async function addClient(app: FastifyInstance, options: ClientOptions): Promise<void> {
  const { folder, maxFileBytes = 1024 ** 2, maxTotalBytes = 64 * 1024 ** 2 } = options;
  const { inMemory, onDisk } = await sortFiles(await listFiles(folder), maxFileBytes, maxTotalBytes);
  const resources = new Map<string, Resource>();
  for (let at = 0; at < inMemory.length; at += FILES_AT_ONCE) {
    const some = inMemory.slice(at, at + FILES_AT_ONCE);
    await Promise.all(some.map(async (file) => resources.set(file.url, await readResource(file))));
  }
  const page = resources.get('/index.html');
  if (page === undefined) {
    throw new Error(`There is no built client: ${join(folder, 'index.html')} is missing. Run: npm run build`);
  }

  const quiet = (url: string) => ({
    config: { access: 'public', quiet: true, countedAs: countedAs(url) } as const,
  });
  // A colon in a file's name begins no parameter.
  const pattern = (url: string) => encodeURI(url).replaceAll(':', '::');
  resources.set('/', page);
  for (const [url, resource] of resources) {
    app.get(pattern(url), quiet(url), (request, reply) => sendResource(resource, request, reply));
  }
  if (onDisk.length > 0) {
    // Loaded only when needed: it takes a tenth of the start.
    const { default: fastifyStatic } = await import('@fastify/static');
    await app.register(fastifyStatic, {
      root: folder,
      serve: false,
      cacheControl: false,
      preCompressed: true,
    });
    for (const { url } of onDisk) {
      app.get(pattern(url), quiet(url), (_request, reply) =>
        reply
          .headers({ 'cache-control': cacheControlOf(url), 'content-type': typeOf(url) })
          .sendFile(url.slice(1)),
      );
    }
  }
  app.get('/*', { config: { access: 'public' } }, (request, reply) => {
    if (isPage(request)) return sendResource(page, request, reply);
    reply.callNotFound();
    return reply;
  });
}

export const client = fp(addClient);

/** Longer than any address of the client's router. */
const MAX_PATH = 2_000;

/** Dot files and `..`, and encoded slashes, backslashes and NUL. */
const HOSTILE = /(^|\/)\.|\\|%2f|%5c|%00/i;

/**
 * Whether an address is for the client's router: a browser asks for a page, and it is neither a file nor the API.
 *
 * @throws ProblemError `uri-too-long`
 */
function isPage(request: FastifyRequest): boolean {
  const path = (request.params as { '*': string })['*'];
  if (path.length > MAX_PATH) throw new ProblemError('uri-too-long', 'The address is too long.');
  if (path === 'api' || path.startsWith('api/') || extname(path) !== '') return false;
  if (HOSTILE.test(path) || HOSTILE.test(request.url.split('?', 1)[0] as string)) return false;
  return request.headers.accept?.includes('text/html') ?? false;
}

interface File {
  /** Its path below the folder, from `/`. */
  url: string;
  path: string;
  size: number;
  modified: Date;
  /** Its compressed forms, by encoding. */
  encoded: [Encoding, string][];
}

const typeOf = (url: string) => TYPES[extname(url)] ?? 'application/octet-stream';

async function listFiles(folder: string): Promise<File[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = new Set(
    entries
      // Source maps show the sources; dot files are not for clients.
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.endsWith('.map'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  const formsOf = (path: string) =>
    (Object.entries(ENCODINGS) as [Encoding, string][])
      .map(([encoding, ending]): [Encoding, string] => [encoding, path + ending])
      .filter(([, form]) => paths.has(form));
  const forms = new Set([...paths].flatMap((path) => formsOf(path).map(([, form]) => form)));
  const files = [...paths].filter((path) => !forms.has(path));
  return Promise.all(
    files.map(async (path) => {
      const { size, mtime: modified } = await stat(path);
      const url = path.slice(folder.length).split(sep).join('/');
      return { url, path, size, modified, encoded: formsOf(path) };
    }),
  );
}

/** Sorts small files into memory and streams the largest. The page is always in memory. */
async function sortFiles(files: File[], maxFileBytes: number, maxTotalBytes: number) {
  const inMemory: File[] = [];
  const onDisk: File[] = [];
  let total = 0;
  for (const file of files.toSorted((a, b) => a.size - b.size)) {
    // All compressed forms together are smaller than the file.
    total += file.encoded.length > 0 ? 2 * file.size : file.size;
    const fits = file.size <= maxFileBytes && total <= maxTotalBytes;
    (fits || file.url === '/index.html' ? inMemory : onDisk).push(file);
  }
  return { inMemory, onDisk };
}

async function readResource({ url, path, modified, encoded }: File): Promise<Resource> {
  const [body, ...forms] = await Promise.all(
    [path, ...encoded.map(([, form]) => form)].map((one) => readFile(one)),
  );
  return makeResource({
    body: body as Buffer,
    type: typeOf(url),
    cacheControl: cacheControlOf(url),
    hash: hashOf(body as Buffer),
    encoded: Object.fromEntries(encoded.map(([encoding], index) => [encoding, forms[index] as Buffer])),
    modified,
  });
}
