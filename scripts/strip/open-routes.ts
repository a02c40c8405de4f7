/**
 * Prints the routes that admit everybody once these parts are stripped: those of users, without the identity of accounts.
 *
 * Usage: node scripts/strip/open-routes.ts NAME …
 */
import { createApp } from '../../server/app.ts';
import { createTestApp } from '../../tests/support/app.ts';

const gone = process.argv.slice(2);
// Nothing connects before it is used.
await using server = await createTestApp(
  'postgres://localhost:1/none',
  {},
  {
    state: 'starting',
    compose(platform) {
      const { modules, features } = createApp(platform);
      const stays = ({ name }: { name: string }) => !gone.includes(name);
      return { modules: modules.filter(stays), features: features.filter(stays) };
    },
  },
);
console.log(server.app.declaredAccess.userRoutes.join('\n'));
