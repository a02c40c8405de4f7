/**
 * The entry. What it imports is loaded before the port opens, and must parse under Node 20, to be able to say that Node 20
 * is too old; the application is loaded behind the open port.
 */
import { run } from './platform/process/main.ts';
import { settings } from './settings.ts';

void run(settings, () => import('./app.ts'));
