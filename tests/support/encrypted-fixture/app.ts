import { eq } from 'drizzle-orm';
import { Type } from 'typebox';
import { createApp as createOwn } from '../../../server/app.ts';
import { secretText } from '../../../server/platform/database/encryption/encrypted-text.ts';
import type { Application, Platform } from '../../../server/platform/parts.ts';
import type { settings } from '../../../server/settings.ts';
import { letters } from './letters.ts';

/** The application, with a feature whose table has an encrypted column. */
export function createApp(platform: Platform<typeof settings>): Application {
  const { db } = platform;
  const own = createOwn(platform);
  return {
    ...own,
    features: [
      ...own.features,
      {
        name: 'letters',
        async routes(app) {
          app.route<{ Params: { id: number } }>({
            method: 'GET',
            url: '/api/letters/:id',
            config: { access: 'public' },
            schema: { params: Type.Object({ id: Type.Integer() }) },
            handler: async ({ params: { id } }) => {
              const [letter] = await db.select().from(letters).where(eq(letters.id, id));
              return letter ?? {};
            },
          });
          app.route<{ Body: { count: number; body: string } }>({
            method: 'POST',
            url: '/api/letters',
            config: { access: 'public' },
            schema: { body: Type.Object({ count: Type.Integer(), body: Type.String() }) },
            async handler({ body: { count, body } }, reply) {
              const rows = Array.from({ length: count }, () => ({ body: secretText(body) }));
              await db.insert(letters).values(rows);
              return reply.code(201).send({ added: count });
            },
          });
        },
      },
    ],
  };
}
