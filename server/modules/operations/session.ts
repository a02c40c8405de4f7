import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { readSession, type Session, signIn, signOut } from '#contracts/monitoring.ts';
import type { OperatorSession } from '../../platform/http/access/operator-sessions.ts';
import type { SignInToken } from '../../platform/http/access/sign-in-token.ts';
import { ProblemError } from '../../platform/lib/problem.ts';

/**
 * Signing in: a browser exchanges the operators' key for a session in a cookie, because it can send no header with the
 * event stream, and a key is better not kept where scripts can read it.
 *
 * @param options.token Printed at start, where a person at a terminal started the server.
 * @param options.keyIn Where the operators' key stands, where everybody who asks may know.
 */
export const session: FastifyPluginAsyncTypebox<{
  token: SignInToken | undefined;
  keyIn: string | undefined;
}> = async (app, { token: startToken, keyIn }) => {
  const { operators } = app;

  app.route({
    ...readSession,
    config: { cors: false },
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
      const vouchedFor = key !== undefined || startToken?.redeem(token as string) === true;
      const begun = vouchedFor ? operators.signIn(reply, key) : undefined;
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
    config: { access: 'public', cors: false },
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
