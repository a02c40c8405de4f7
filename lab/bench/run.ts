/**
 * `npm run bench [suite …]`: compares the costs of this template with the alternatives.
 * `npm run bench -- --against REV`: compares them with another revision.
 *
 * The contenders take turns, so that a slow phase of the machine affects all of them. Tables show medians over the rounds.
 */
import { accountsSuite } from './accounts.ts';
import { against } from './against.ts';
import { encryptionSuite } from './encryption.ts';
import { eventsSuite } from './events.ts';
import { idleSuite } from './idle.ts';
import { jobsPageSuite, jobsSuite } from './jobs.ts';
import { concurrencySuite, jsonSuite } from './json.ts';
import { memorySuite } from './memory.ts';
import { overloadSuite } from './overload.ts';
import { pageSuite } from './page.ts';
import { percentilesSuite } from './percentiles.ts';
import { poolSuite } from './pool.ts';
import { queriesSuite } from './queries.ts';
import { sharesSuite } from './shares.ts';
import { slowClientsSuite } from './slow-clients.ts';
import { startSuite } from './start.ts';
import { staticSuite } from './static.ts';
import { streamSuite } from './stream.ts';
import { limitsSuite, observeSuite } from './variants.ts';

const suites: Record<string, () => Promise<void>> = {
  page: pageSuite,
  json: jsonSuite,
  shares: sharesSuite,
  concurrency: concurrencySuite,
  observe: observeSuite,
  percentiles: percentilesSuite,
  static: staticSuite,
  limits: limitsSuite,
  pool: poolSuite,
  queries: queriesSuite,
  stream: streamSuite,
  start: startSuite,
  memory: memorySuite,
  idle: idleSuite,
  jobs: jobsSuite,
  'jobs-page': jobsPageSuite,
  events: eventsSuite,
  encryption: encryptionSuite,
  accounts: accountsSuite,
  overload: overloadSuite,
  'slow-clients': slowClientsSuite,
};

// The processes that it started end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const [option, revision, ...others] = process.argv.slice(2);
if (option === '--against') {
  if (revision === undefined || others.length > 0) {
    console.error('Name one revision: npm run bench -- --against v1.0.0');
    process.exit(1);
  }
  process.exit((await against(revision)) ? 0 : 1);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(', ')}. There are: ${Object.keys(suites).join(', ')}.`);
  process.exit(1);
}
for (const [name, suite] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n${name}\n`);
  await suite();
}
