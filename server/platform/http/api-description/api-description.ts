/**
 * Adds `/api/openapi.json`: the API as its own schemas describe it.
 *
 * It stands before every route, because `@fastify/swagger` notes each as it is registered. The document is made by the
 * first request for it, so neither the start nor any other request pays for it.
 */
import fp from 'fastify-plugin';
import { getOpenApi } from '#contracts/description.ts';
import type { Identity } from '../../parts.ts';
import { madeOnce } from '../files/resource.ts';
import { describeRoute, SECURITY_SCHEMES, type SharedSchemas } from './describe-route.ts';

const ABOUT =
  'Errors are problem documents (RFC 9457): `type` is stable and for programs, `detail` is for people, and `requestId` is ' +
  'what to quote to an operator. The same id is in the `X-Request-Id` header. Repeat a request whose answer has `Retry-After` ' +
  'after that many seconds.';

export interface ApiDescriptionOptions {
  name: string;
  version: string;
  /** Names of features, whose routes are shown first. */
  features: readonly string[];
  /** How users identify. */
  userSchemes?: Identity['securitySchemes'];
}

export const apiDescription = fp<ApiDescriptionOptions>(async (app, options) => {
  const { name, version, features, userSchemes } = options;
  const { default: swagger } = await import('@fastify/swagger');
  const shared: SharedSchemas = {};
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: name, version, description: ABOUT },
      servers: [{ url: '/' }],
      tags: features.map((feature) => ({ name: feature })),
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

  const document = madeOnce('application/json; charset=utf-8', () => JSON.stringify(app.swagger(), null, 1));
  app.route({ ...getOpenApi, config: { access: 'public' }, ...document });
});
