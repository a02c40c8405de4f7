import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { signInWithProvider } from '#contracts/accounts/sign-in.ts';
import { Problem } from '#contracts/problem.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { AccountService } from '../service.ts';
import { callAuth } from './call-auth.ts';
import { sessionCookie } from './cookies.ts';
import { signedIn } from './sessions.ts';

/** Where a provider sends the browser back to: the one path of better-auth that is mounted. */
const callback = {
  method: 'GET',
  url: '/api/auth/callback/:provider',
  schema: {
    summary: 'Where a provider sends the browser back to',
    params: Type.Object({ provider: Type.String({ maxLength: 50, pattern: '^[a-z]+$' }) }),
    querystring: Type.Object(
      {},
      { additionalProperties: Type.String({ maxLength: 4_000 }), maxProperties: 20 },
    ),
    response: { 302: Type.Null(), 404: Problem, 503: Problem },
  },
} as const;

/** Signing in with Google, GitHub or a provider of OpenID Connect. */
export const providerRoutes: FastifyPluginAsyncTypebox<{ service: AccountService }> = async (
  app,
  { service },
) => {
  const known = (id: string) => {
    if (!service.providers.some((one) => one.id === id))
      throw new ProblemError('not-found', 'There is no such provider.');
  };

  app.route({
    ...signInWithProvider,
    config: { access: 'public', cors: false },
    async handler(request, reply) {
      const { provider, returnTo } = request.body;
      known(provider);
      const auth = await (provider === 'oidc' ? service.oidcAuth() : service.auth());
      const { url } = await callAuth(
        service,
        request,
        reply,
        (_, headers) =>
          auth.api.signInSocial({
            headers,
            body: {
              provider: provider as 'google',
              callbackURL: ownAddress(service.origin, returnTo),
              errorCallbackURL: `${service.origin}/sign-in`,
              disableRedirect: true,
            },
            returnHeaders: true,
          }),
        'fresh',
      );
      if (!url)
        throw new ProblemError('unavailable', 'The provider cannot be reached. Try again in a moment.');
      return { url };
    },
  });

  app.route({
    ...callback,
    // It uses the answer of the provider up.
    exposeHeadRoute: false,
    config: { access: 'public', cors: false },
    async handler(request, reply) {
      const { provider } = request.params;
      known(provider);
      const auth = await (provider === 'oidc' ? service.oidcAuth() : service.auth());
      const answer = await callAuth(
        service,
        request,
        reply,
        async (_, headers) => {
          const response = await auth.api.callbackOAuth({
            method: 'GET',
            params: { id: provider },
            query: request.query,
            headers,
            asResponse: true,
          });
          return { headers: response.headers, response };
        },
        'fresh',
      );
      const begun = answer.headers
        .getSetCookie()
        .some((one) => one.startsWith(`${sessionCookie(service.secure)}=`));
      if (begun) await signedIn(service, request);
      else service.figures.failed();
      return reply.redirect(ownAddress(service.origin, answer.headers.get('location') ?? '/sign-in'), 302);
    },
  });
};

/** @returns An address of this application; its home where another one was asked for. */
export function ownAddress(origin: string, returnTo = '/'): string {
  const url = URL.parse(returnTo, origin);
  return url?.origin === origin ? url.href : `${origin}/`;
}
