/**
 * Adds the built client: its files, and `index.html` for every address that is the router's to interpret.
 *
 * It stands last: what nothing else answers is a page, a file, or nothing. Files are read once, at start, and served
 * from memory; a first build is a few hundred kilobytes.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
};

interface File {
  body: Buffer;
  etag: string;
  type: string;
  cacheControl: string;
}

/**
 * @param folder The client as Vite built it.
 * @throws Error naming the remedy when there is no built client.
 */
export async function client(app: FastifyInstance, { folder }: { folder: string }): Promise<void> {
  const files = await readFiles(folder);
  const page = files.get('/index.html');
  if (page === undefined) {
    throw new Error(`There is no built client: ${join(folder, 'index.html')} is missing. Run: npm run build`);
  }
  const serve = (file: File) => (request: FastifyRequest, reply: FastifyReply) => send(file, request, reply);
  for (const [path, file] of files) app.get(path, { config: { quiet: true } }, serve(file));
  app.get('/', { config: { quiet: true } }, serve(page));
  app.get('/*', (request, reply) => {
    if (isPage(request)) return send(page, request, reply);
    reply.callNotFound();
    return reply;
  });
}

/** A dot in the last part, or at the beginning of any: `logo.png`, `.env`, `.git/config`. */
const FILE = /\.[^/]*$|(?:^|\/)\./;

/** Whether an address is for the client's router: it is asked for as a page, names no file and is not the API's. */
function isPage(request: FastifyRequest): boolean {
  const path = (request.params as { '*': string })['*'];
  if (path === 'api' || path.startsWith('api/') || FILE.test(path)) return false;
  return request.headers.accept?.includes('text/html') ?? false;
}

function send(file: File, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ etag: file.etag, 'cache-control': file.cacheControl });
  const known = request.headers['if-none-match']?.split(/\s*,\s*/) ?? [];
  if (known.some((tag) => tag === '*' || tag === file.etag || tag === `W/${file.etag}`))
    return reply.code(304).send();
  return reply.type(file.type).send(file.body);
}

async function readFiles(folder: string): Promise<Map<string, File>> {
  const files = new Map<string, File>();
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  await Promise.all(
    names
      // Source maps tell a stranger the sources; a dot file was never meant to be served.
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.endsWith('.map'))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const body = await readFile(path);
        const url = path.slice(folder.length).split(sep).join('/');
        files.set(url, {
          body,
          etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`,
          type: TYPES[extname(entry.name)] ?? 'application/octet-stream',
          // Vite puts a hash of the content into the names under assets/.
          cacheControl: url.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
        });
      }),
  );
  return files;
}
