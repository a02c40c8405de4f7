/**
 * Adds `/api/operations/session`: a browser exchanges the operators' key for a session in a cookie, because it can send no
 * header with an event stream, and scripts should not be able to read a key.
 *
 * It answers in every state and without the database, because that is when operators need it.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { readSession, type Session, signIn, signOut } from '#contracts/session.ts';
import type { Config } from '../../config/config.ts';
import type { EffectiveSetting } from '../../config/reader.ts';
import { ProblemError } from '../../lib/problem.ts';
import type { OperatorSession } from './operator-sessions.ts';
import type {} from './operators.ts';
import type { SignInToken } from './sign-in-token.ts';

/**
 * @param options.token Printed at start, where a person at a terminal started the server.
 * @param options.keyIn Where the operators' key is found, where that is public.
 */
export const session: FastifyPluginAsyncTypebox<{
  token: SignInToken | undefined;
  keyIn: string | undefined;
}> = async (app, { token: startToken, keyIn }) => {
  const { operators } = app;
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store');
    done();
  });

  app.route({
    ...readSession,
    config: { access: 'public', limit: 'local', quiet: true, cors: false },
    handler: (request) => shown(request, request.operatorSession),
  });

  app.route({
    ...signIn,
    config: { access: 'public', limit: 'operator-sign-in', cors: false },
    handler(request, reply) {
      const closed = operators.closed(request);
      if (closed !== undefined) throw closed;
      const { key, token } = request.body;
      if ((key === undefined) === (token === undefined)) {
        throw new ProblemError('validation', 'Send either a key or a token.');
      }
      const mayBegin = key !== undefined || startToken?.redeem(token as string) === true;
      const begun = mayBegin ? operators.signIn(reply, key) : undefined;
      if (begun === undefined) {
        throw new ProblemError(
          'unauthorized',
          key === undefined
            ? 'This link has been used, or is older than 15 minutes. Sign in with a key of INTERNAL_API_KEY.'
            : 'This key is not one of those in INTERNAL_API_KEY.',
          { headers: { 'www-authenticate': 'Bearer realm="operators"' } },
        );
      }
      request.log.info({ ip: request.ip }, 'an operator signed in');
      return shown(request, begun);
    },
  });

  app.route({
    ...signOut,
    config: { access: 'public', limit: 'local', cors: false },
    async handler(_request, reply) {
      operators.signOut(reply);
      return reply.code(204).send(null);
    },
  });

  function shown(request: FastifyRequest, one: OperatorSession | undefined): Session {
    const closed = operators.closed(request);
    return {
      signedIn: one !== undefined,
      expiresAt: one === undefined ? null : new Date(one.expiresAt).toISOString(),
      ...(closed === undefined ? {} : { closed: closed.message }),
      ...(keyIn === undefined ? {} : { keyIn }),
    };
  }
};

/** @returns Where a developer without a terminal, as in a container, finds the operators' key. */
export function placeOfKey(config: Config, settings: readonly EffectiveSetting[]): string | undefined {
  if (config.environment !== 'development') return undefined;
  const { origin } = settings.find(({ name }) => name === 'INTERNAL_API_KEY') ?? {};
  if (origin === 'environment') return 'the environment';
  return origin === 'generated' ? '.data/secrets.json' : origin;
}
