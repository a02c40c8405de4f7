import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, desc, eq } from 'drizzle-orm';
import {
  addPasskey,
  beginPasskey,
  listPasskeys,
  type Passkey,
  removePasskey,
} from '#contracts/accounts/passkeys.ts';
import { beginPasskeySignIn, signInWithPasskey } from '#contracts/accounts/sign-in.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { AccountService } from '../service.ts';
import { passkeys } from '../table.ts';
import { callAuth } from './call-auth.ts';
import { recentSession, signedIn } from './sessions.ts';

const open = { config: { access: 'public', cors: false } } as const;
const own = { config: { access: 'user', cors: false } } as const;

/** Passkeys: made by a browser, kept here as public keys. */
export const passkeyRoutes: FastifyPluginAsyncTypebox<{ service: AccountService }> = async (
  app,
  { service },
) => {
  const { db, database, people, log } = service.options;

  app.route({
    ...listPasskeys,
    ...own,
    async handler({ scope }) {
      const rows = await db
        .select()
        .from(passkeys)
        .where(eq(passkeys.userId, scope?.userId as string))
        .orderBy(desc(passkeys.createdAt));
      return { items: rows.map(shown) };
    },
  });

  app.route({
    ...beginPasskey,
    ...own,
    async handler(request, reply) {
      await recentSession(service, request);
      const auth = await service.passkeyAuth();
      const options = await callAuth(service, request, reply, (_, headers) =>
        auth.api.generatePasskeyRegistrationOptions({ headers, query: {}, returnHeaders: true }),
      );
      return { ...options };
    },
  });

  app.route({
    ...addPasskey,
    ...own,
    async handler(request, reply) {
      const { userId } = await recentSession(service, request);
      const { name, response } = request.body;
      const auth = await service.passkeyAuth();
      const made = await callAuth(service, request, reply, (_, headers) =>
        auth.api.verifyPasskeyRegistration({ headers, body: { name, response }, returnHeaders: true }),
      );
      await database.transaction(async (tx) => {
        const user = await service.user(userId, tx);
        await service.send(tx, people.mails.passkeyAdded, user.email, service.to(user), request);
      });
      log.info({ userId }, 'a passkey was added');
      return shown(made as never);
    },
  });

  app.route({
    ...removePasskey,
    ...own,
    async handler(request, reply) {
      const { userId } = await recentSession(service, request);
      const removed = await db
        .delete(passkeys)
        .where(and(eq(passkeys.id, request.params.id), eq(passkeys.userId, userId)))
        .returning({ id: passkeys.id });
      if (removed.length === 0) throw new ProblemError('not-found', 'You have no such passkey.');
      log.info({ userId }, 'a passkey was removed');
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...beginPasskeySignIn,
    ...open,
    async handler(request, reply) {
      const auth = await service.passkeyAuth();
      const options = await callAuth(
        service,
        request,
        reply,
        (_, headers) => auth.api.generatePasskeyAuthenticationOptions({ headers, returnHeaders: true }),
        'fresh',
      );
      return { ...options, userVerification: 'required' };
    },
  });

  app.route({
    ...signInWithPasskey,
    config: { ...open.config, limit: 'sign-in' },
    async handler(request, reply) {
      const auth = await service.passkeyAuth();
      const { response } = request.body;
      await callAuth(
        service,
        request,
        reply,
        (_, headers) =>
          auth.api.verifyPasskeyAuthentication({
            headers,
            body: { response: response as never },
            returnHeaders: true,
          }),
        'fresh',
      );
      await signedIn(service, request);
      return { next: 'done' as const };
    },
  });
};

const shown = ({ id, name, createdAt, backedUp }: typeof passkeys.$inferSelect): Passkey => ({
  id,
  name: name ?? 'Passkey',
  createdAt: (createdAt ?? new Date(0)).toISOString(),
  backedUp,
});
