/**
 * Adds `/api/openapi.json`, the API as its own schemas describe it, and `/api/docs`, the same for people.
 *
 * It stands before every route, because it notes each as it is registered. The description is made when somebody first
 * asks for it, so that no start pays for it. The page needs nothing that the policy of every other page forbids: no
 * script but the one that applies the theme, no inline style, nothing from elsewhere.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { getDocs, getOpenApi } from '#contracts/description.ts';
import type {} from '../access/access.ts';
import { makeResource, type Resource, sendResource } from '../files/resource.ts';
import { PROBE_PATHS } from '../probes.ts';
import type { DescribedRoute } from './openapi.ts';

export interface ApiDescriptionOptions {
  name: string;
  version: string;
  /** The built client, whose style sheet has the colours; undefined where Vite serves it from its sources. */
  clientFolder: string | undefined;
}

export const apiDescription = fp<ApiDescriptionOptions>(async (app, { name, version, clientFolder }) => {
  const routes: DescribedRoute[] = [];
  app.addHook('onRoute', ({ method, url, schema, config }) => {
    if (schema?.response === undefined) return;
    for (const one of [method].flat()) {
      // Fastify adds a HEAD for every GET, which says nothing new.
      if (one === 'HEAD') continue;
      routes.push({
        method: one,
        url,
        access: config?.access,
        guarded: !PROBE_PATHS.has(url),
        schema: schema as DescribedRoute['schema'],
      });
    }
  });

  const description = once(async () => {
    const { describeApi } = await import('./openapi.ts');
    return describeApi(routes, { title: name, version });
  });
  const json = once(async () =>
    makeLate('application/json; charset=utf-8', JSON.stringify(await description(), null, 1)),
  );
  const page = once(async () => {
    const { renderApiPage } = await import('./api-page.ts');
    const styles = clientFolder === undefined ? ['/src/theme.css'] : await styleSheetsOf(clientFolder);
    return makeLate('text/html; charset=utf-8', renderApiPage(await description(), styles));
  });
  const serve = (resource: () => Promise<Resource>) => ({
    serializerCompiler: () => JSON.stringify,
    handler: async (request: FastifyRequest, reply: FastifyReply) =>
      sendResource(await resource(), request, reply),
  });
  app.route({ ...getOpenApi, config: { access: 'public' }, ...serve(json) });
  app.route({ ...getDocs, config: { access: 'public' }, ...serve(page) });
});

/** Asked for seldom, and large: compressed once, when it is made, in the form that every client takes. */
async function makeLate(type: string, text: string): Promise<Resource> {
  const body = Buffer.from(text);
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 27);
  const encoded = { gzip: await promisify(zlib.gzip)(body) };
  return makeResource({ body, type, cacheControl: 'no-cache', hash, encoded });
}

async function styleSheetsOf(clientFolder: string): Promise<string[]> {
  const html = await readFile(join(clientFolder, 'index.html'), 'utf8');
  return [...html.matchAll(/<link\b[^>]*\brel="stylesheet"[^>]*\bhref="(\/[^"]+)"/g)].map(
    ([, href]) => href as string,
  );
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    // One that failed is tried again by who asks next.
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
}
