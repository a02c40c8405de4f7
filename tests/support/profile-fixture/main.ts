/** The server from its sources, with profile fields of the tests' own. */
import { run } from '../../../server/platform/process/main.ts';
import { settings } from '../../../server/settings.ts';

void run(settings, () => import('./app.ts'));
