/**
 * Every npm script calls `node scripts/run.mjs <task> [arguments]`. It provides what the task needs, and runs it. It uses only
 * Node's own modules and parses in old versions of Node, because it installs the packages and a current Node.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, buildIsCurrent } from './launcher/build.mjs';
import { developServer } from './launcher/dev.mjs';
import { provide } from './launcher/packages.mjs';
import { Ended, endTogether, run, start, stop, stopSignal } from './launcher/processes.mjs';
import { FLAGS, MAIN } from './launcher/server.mjs';
import { say, step } from './launcher/words.mjs';
import { keepPostgres } from './postgres/keep.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const WITH_DATABASE = 'scripts/with-database.ts';
const PRODUCTION_READY = 'scripts/production-ready.ts';
const bin = {
  biome: 'node_modules/@biomejs/biome/bin/biome',
  drizzle: 'node_modules/drizzle-kit/bin.cjs',
  playwright: 'node_modules/@playwright/test/cli.js',
  tsc: 'node_modules/typescript/bin/tsc',
  vitest: 'node_modules/vitest/vitest.mjs',
};
/** Each checker works out shared types again: the compiler's four take longer than one on two cores. */
const tsc = [bin.tsc, '--checkers', String(Math.min(4, Math.ceil(cpus().length / 2)))];

/**
 * Task → what must be in place (`packages`: all of them, or those that a build needs; `build`: a current one) → what runs.
 * `configured` tasks read the application's configuration, and NODE_ENV is settled for them. Those with a `database` get a
 * PostgreSQL of this clone's own where none is configured: it starts with the task, or before it.
 */
const tasks = {
  start: { packages: neededToStart, build: true, configured: true, database: 'with', run: serve },
  dev: {
    packages: 'all',
    configured: true,
    database: 'with',
    run: (node, args) => developServer(root, node, args),
  },
  build: { packages: 'shipped', run: (node, args) => build(root, node, { quiet: false, args }) },

  test: suite('unit'),
  'test:e2e': { packages: 'all', build: true, run: program(bin.playwright, 'test') },
  'test:template': { packages: 'all', run: program('lab/template/run.ts') },
  'test:packaging': suite('packaging'),
  'test:reliability': suite('reliability'),
  // Tests a deployment from outside, so it needs nothing of this clone.
  'test:smoke': { packages: 'none', run: program('scripts/smoke.ts') },
  'test:production-ready': { packages: 'none', configured: true, run: program(PRODUCTION_READY) },
  check: { packages: 'all', run: check },
  docs: { packages: 'none', run: program('scripts/generate-config-docs.ts') },
  'pin:images': { packages: 'none', run: program('scripts/pin-images.ts') },
  screenshots: { packages: 'all', build: true, run: program('scripts/screenshots.ts') },
  playwright: { packages: 'all', run: program(bin.playwright) },
  typecheck: { packages: 'all', run: typecheck },
  // It also reads flags that npm has consumed.
  strip: { packages: 'all', run: program('scripts/strip.ts') },
  bench: { packages: 'all', build: true, run: program('lab/bench/run.ts') },

  'db:generate': { packages: 'all', run: program(bin.drizzle, 'generate') },
  'db:migrate': command('migrate'),
  admin: command('admin'),
  'db:studio': {
    packages: 'all',
    configured: true,
    database: 'before',
    run: program(WITH_DATABASE, bin.drizzle, 'studio'),
  },
  'db:push': {
    packages: 'all',
    configured: true,
    database: 'before',
    refuse: pushInProduction,
    run: program(WITH_DATABASE, bin.drizzle, 'push'),
  },
};

/** An empty value counts as unset. */
const isSet = (name) => Boolean(process.env[name]);

function isProduction() {
  return isSet('NODE_ENV') ? process.env.NODE_ENV === 'production' : process.env.REPLIT_DEPLOYMENT === '1';
}

async function main([name, ...args]) {
  const task = tasks[name];
  if (!task) {
    throw new Ended(`There is no task '${name ?? ''}'. There are: ${Object.keys(tasks).join(', ')}.`, 1);
  }
  process.chdir(root);
  if (task.configured && !isSet('NODE_ENV'))
    process.env.NODE_ENV = isProduction() ? 'production' : 'development';
  const refusal = task.refuse?.();
  if (refusal) throw new Ended(refusal, 1);
  endTogether();

  const stale = task.build && !buildIsCurrent(root);
  const needed = typeof task.packages === 'function' ? task.packages(stale) : task.packages;
  const node = await provide(root, { packages: needed, production: isProduction() });
  if (stale) {
    await step('Building client and server', 'Built client and server', () =>
      build(root, node, { quiet: true }),
    );
  }
  const isMissing = task.database && !isProduction() && !databaseIsConfigured();
  return isMissing ? withPostgres(node, task, args) : task.run(node, args);
}

/** Runs a task with a PostgreSQL of this clone's own, which ends with the last task that uses it. */
async function withPostgres(node, task, args) {
  const database = JSON.parse(readFileSync('package.json', 'utf8')).name;
  const postgres = await keepPostgres({ folder: '.data/postgres', database, log: say, node });
  process.env.DATABASE_URL = postgres.url;
  let failure;
  const ready = postgres.ready.catch(({ message }) => {
    failure = new Ended(message, 1);
    stop();
  });
  try {
    if (task.database === 'before') await ready;
    const code = failure ? undefined : await task.run(node, args);
    if (failure) throw failure;
    return code;
  } finally {
    await postgres.release();
  }
}

/** A project of vitest.config.ts. Some tests start the built server. */
function suite(project) {
  return { packages: 'all', build: true, run: program(bin.vitest, 'run', `--project=${project}`) };
}

/** Runs a script in the foreground, and returns its exit code. */
function program(...command) {
  return async (node, args) => (await start(node, [...command, ...args]).ended).code;
}

/** A command of `main.js` that ends, on the database of this clone or the configured one. */
function command(name) {
  const run = program(MAIN, name);
  return { packages: neededToStart, build: true, configured: true, database: 'before', run };
}

/** Runs the server, which prints its address when it is ready. */
async function serve(node, args) {
  return (await start(node, [...FLAGS, MAIN, ...args], { server: true }).ended).code;
}

/** A finished build runs by itself. Only the PostgreSQL of development is a package. */
function neededToStart(stale) {
  if (!isProduction() && !databaseIsConfigured()) return 'all';
  return stale ? 'shipped' : 'none';
}

function databaseIsConfigured() {
  const names = ['DATABASE_URL', 'DATABASE_URL_FILE', 'PGHOST', 'PGDATABASE'];
  if (names.some(isSet)) return true;
  const file = existsSync('.env') ? readFileSync('.env', 'utf8') : '';
  return new RegExp(`^\\s*(export\\s+)?(${names.join('|')})\\s*=\\s*\\S`, 'm').test(file);
}

function pushInProduction() {
  if (!isProduction()) return undefined;
  return 'db:push changes tables without a migration, so it is for development only. In production: npm run db:migrate';
}

/** Runs every check, also after a failure. `--fix` first repairs what it can. */
async function check(node, args) {
  if (args.includes('--fix')) {
    await step('Repairing format and generated files', 'Repaired format and generated files', async () => {
      // The checks report what is left.
      await run(node, [bin.biome, 'check', '--write', '.'], { quiet: true }).catch(() => {});
      await run(node, ['scripts/generate-config-docs.ts'], { quiet: true });
    });
  }
  const own = existsSync('scripts/checks')
    ? readdirSync('scripts/checks').filter((file) => /^[^.]+\.(mjs|ts)$/.test(file))
    : [];
  const checks = [
    ['Format and lint', bin.biome, 'ci', `--colors=${process.stderr.isTTY ? 'force' : 'off'}`, '.'],
    ['Types', ...tsc],
    ['Types of the client', ...tsc, '--project', 'client'],
    ...own
      .sort()
      .map((file) => [
        capitalised(file.replace(/\.\w+$/, '').replaceAll('-', ' ')),
        join('scripts/checks', file),
      ]),
  ];
  const failed = [];
  for (const [title, ...command] of checks) {
    const env = process.stderr.isTTY ? { FORCE_COLOR: '1' } : {};
    await step(title, title, () => run(node, command, { quiet: true, env })).catch((error) => {
      if (stopSignal.aborted) throw error;
      failed.push(title);
      say(`\n${error.output.trim()}\n`);
    });
  }
  if (failed.length > 0)
    throw new Ended(`Failed: ${failed.join(', ')}. \`npm run check -- --fix\` repairs format and lint.`, 1);
}

/** Two projects, so that server code has no browser globals. */
async function typecheck(node) {
  for (const project of ['.', 'client']) await run(node, [...tsc, '--project', project]);
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ?? 0;
} catch (error) {
  if (!(error instanceof Ended)) throw error;
  say(error.output ? `${error.output.trim()}\n\n${error.message}` : error.message);
  process.exitCode = error.code;
}
