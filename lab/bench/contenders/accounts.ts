/** The server from its sources, with the same small answer for everybody, for users, and for users whom better-auth recognises. */
import { createApp } from '../../../server/app.ts';
import { createAuth } from '../../../server/modules/accounts/auth.ts';
import { run } from '../../../server/platform/process/main.ts';
import { settings } from '../../../server/settings.ts';

void run(settings, async () => ({
  createApp(platform) {
    const { config, db, log, about } = platform;
    const anything = async () => {};
    const origin = String(config.publicUrl);
    const rules = { mayBegin: anything, maySignUp: anything, signedUp: anything };
    const auth = createAuth({ config, db, log, appName: about.name, origin, verifies: false, ...rules }, []);
    const own = createApp(platform);
    return {
      ...own,
      features: [
        ...own.features,
        {
          name: 'small',
          async routes(app) {
            app.get('/api/small/public', { config: { access: 'public' } }, () => ({ ok: true }));
            app.get('/api/small/user', { config: { access: 'user' } }, () => ({ ok: true }));
            app.get('/api/small/library', { config: { access: 'public' } }, async ({ headers }) => {
              const cookie = headers.cookie ?? '';
              const session = await auth.api.getSession({ headers: new Headers({ cookie }) });
              if (session === null) throw new Error('better-auth does not know the session');
              return { ok: true };
            });
          },
        },
      ],
    };
  },
}));
