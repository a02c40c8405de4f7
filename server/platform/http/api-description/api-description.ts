/**
 * Adds `/api/openapi.json`, the API as its own schemas describe it, and `/api/docs`, the same for people.
 *
 * It stands before every route, because `@fastify/swagger` notes each as it is registered. The document is made by the
 * first request for it, so neither the start nor any other request pays for it. The page stays within the policy of every
 * other page: no inline script or style, nothing from other hosts.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { getDocs, getOpenApi } from '#contracts/description.ts';
import type { Identity } from '../../parts.ts';
import { makeResource, type Resource, sendResource } from '../files/resource.ts';
import type { Looks } from './api-page.ts';
import { describeRoute, SECURITY_SCHEMES, type SharedSchemas } from './describe-route.ts';
import type { OpenApi } from './openapi.ts';

const ABOUT =
  'Errors are problem documents (RFC 9457): `type` is stable and for programs, `detail` is for people, and `requestId` is ' +
  'what to quote to an operator. The same id stands in `X-Request-Id`. Repeat a request whose answer has `Retry-After` ' +
  'after that many seconds.';

export interface ApiDescriptionOptions {
  name: string;
  version: string;
  /** The built client, whose style sheet has the colours; undefined where Vite serves it from its sources. */
  clientFolder: string | undefined;
  /** How users identify. */
  userSchemes?: Identity['securitySchemes'];
}

export const apiDescription = fp<ApiDescriptionOptions>(
  async (app, { name, version, clientFolder, userSchemes }) => {
    const { default: swagger } = await import('@fastify/swagger');
    const shared: SharedSchemas = {};
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: { title: name, version, description: ABOUT },
        servers: [{ url: '/' }],
        components: { securitySchemes: { ...SECURITY_SCHEMES, ...userSchemes } as typeof SECURITY_SCHEMES },
      },
      convertConstToEnum: false,
      transform: ({ schema, url, route }) => ({
        schema: describeRoute(schema, route, shared, userSchemes),
        url,
      }),
      transformObject(document) {
        if (!('openapiObject' in document)) return document.swaggerObject;
        Object.assign(document.openapiObject.components ?? {}, { schemas: shared });
        return document.openapiObject;
      },
    });

    const json = once(() =>
      makeResourceOf('application/json; charset=utf-8', JSON.stringify(app.swagger(), null, 1)),
    );
    const page = once(async () => {
      const { renderApiPage } = await import('./api-page.ts');
      const looks =
        clientFolder === undefined ? { styles: ['/src/theme.css'], fonts: [] } : await looksOf(clientFolder);
      return makeResourceOf(
        'text/html; charset=utf-8',
        renderApiPage(app.swagger() as unknown as OpenApi, looks),
      );
    });
    const serve = (resource: () => Promise<Resource>) => ({
      serializerCompiler: () => JSON.stringify,
      handler: async (request: FastifyRequest, reply: FastifyReply) =>
        sendResource(await resource(), request, reply),
    });
    app.route({ ...getOpenApi, config: { access: 'public' }, ...serve(json) });
    app.route({ ...getDocs, config: { access: 'public' }, ...serve(page) });
  },
);

/** Rarely requested, and large: compressed once, in the one form that every client accepts. */
async function makeResourceOf(type: string, text: string): Promise<Resource> {
  const body = Buffer.from(text);
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 27);
  const encoded = { gzip: await promisify(zlib.gzip)(body) };
  return makeResource({ body, type, cacheControl: 'no-cache', hash, encoded });
}

/** What the client's own page links to. */
async function looksOf(clientFolder: string): Promise<Looks> {
  const links = (await readFile(join(clientFolder, 'index.html'), 'utf8')).match(/<link\b[^>]*>/g) ?? [];
  const addresses = (kind: RegExp) =>
    links.filter((link) => kind.test(link)).map((link) => /\bhref="(\/[^"]+)"/.exec(link)?.[1] as string);
  return { styles: addresses(/\brel="stylesheet"/), fonts: addresses(/\bas="font"/) };
}

/** Calls `make` once. A call that failed is repeated by the next request. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
}
