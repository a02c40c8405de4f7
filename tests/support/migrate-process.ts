/** A process that migrates and says what it did: `node migrate-process.ts <database url> <folder>`. */
import { migrate } from '../../server/platform/database/migrations/migrator.ts';

const [url, folder = ''] = process.argv.slice(2);
const report = await migrate({
  connection: { connectionString: url },
  folder,
  log: { debug() {}, info() {}, warn: console.error },
  directUrlConfigured: false,
});
console.log(JSON.stringify(report));
