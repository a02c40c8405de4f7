/** The platform's settings, in the order of the documentation. Yours are in `server/settings.ts`. */
import { basics } from './settings/basics.ts';
import { database, databaseAddress } from './settings/database.ts';
import { dependencies } from './settings/dependencies.ts';
import { lifecycle } from './settings/lifecycle.ts';
import { observation } from './settings/observation.ts';
import { operators } from './settings/operators.ts';
import { requests } from './settings/requests.ts';

export const platformSettings = {
  ...basics,
  databaseAddress,
  database,
  ...lifecycle,
  ...requests,
  ...operators,
  ...observation,
  ...dependencies,
};
