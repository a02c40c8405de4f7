/** Provides node_modules: the packages of the lock file, and a current Node. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { privateNode } from './private-node.mjs';
import { Ended, run } from './processes.mjs';
import { say, step } from './words.mjs';

const OLDEST_NODE = 24;

/**
 * Whether node_modules has the packages of package-lock.json.
 *
 * @param {string} root
 * @param {{ shippedOnly: boolean }} which with `shippedOnly` development packages may be missing, as after `npm ci --omit=dev`
 */
export function packagesAreCurrent(root, { shippedOnly }) {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!wanted || !installed) return false;
  const asked = readJson(join(root, 'package.json'));
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    if (!sameEntries(asked[kind], wanted[''][kind])) return false;
  }
  return Object.entries(wanted).every(([path, { version, integrity, dev, optional, devOptional, link }]) => {
    if (path === '' || link) return true;
    if (shippedOnly && (dev || devOptional)) return true;
    const found = installed[path];
    // Optional packages are not installed on every platform.
    if (!found) return Boolean(optional || devOptional);
    return found.version === version && found.integrity === integrity && existsSync(join(root, path));
  });
}

/**
 * Installs packages and Node if they are missing, both at the same time.
 *
 * @param {string} root
 * @param {{ packages: 'all' | 'shipped' | 'none', production: boolean }} needs
 * @returns {Promise<string>} the path of a current Node, which becomes the first on the PATH
 */
export async function provide(root, { packages, production }) {
  const install = packages !== 'none' && !packagesAreCurrent(root, { shippedOnly: packages === 'shipped' });
  const system = Number(process.versions.node.split('.')[0]) >= OLDEST_NODE;
  const own = system ? undefined : privateNode(root, OLDEST_NODE);
  const node = own ? own.program : process.execPath;
  const fetchNode = own && !own.isPresent;
  if (fetchNode) {
    say(
      `This is Node ${process.versions.node}, and version ${OLDEST_NODE} or newer is needed: a private Node ${own.version} ` +
        'goes into node_modules, and yours stays as it is.',
    );
  }

  if (install || fetchNode) {
    const what = [install && 'packages', fetchNode && `Node ${own.version}`].filter(Boolean).join(' and ');
    await step(`Installing ${what}`, `Installed ${what}`, async () => {
      // npm empties node_modules first, so the private Node is put there last.
      const aside = join(root, '.data', 'private-node');
      if (fetchNode) own.describeIn(aside);
      else if (own) moveInto(dirname(aside), own.folder, aside);
      const include = packages === 'shipped' && production ? '--omit=dev' : '--include=dev';
      const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
      const jobs = await Promise.allSettled([
        install && npm(['ci', include, ...flags], 'the packages of package-lock.json'),
        fetchNode && npm(['ci', '--prefix', aside, '--ignore-scripts', ...flags], `Node ${own.version}`),
      ]);
      if (existsSync(aside)) moveInto(join(root, 'node_modules'), aside, own.folder);
      const failed = jobs.find(({ status }) => status === 'rejected');
      if (failed) throw failed.reason;
    });
  }
  if (fetchNode) {
    await run(node, ['--version'], { quiet: true }).catch(({ message }) => {
      throw new Ended(
        `The private Node does not run here (${message}). Install Node ${OLDEST_NODE} or newer.`,
        1,
      );
    });
  }
  if (own) process.env.PATH = [dirname(node), process.env.PATH].join(delimiter);
  return node;
}

/** Runs npm from its cache if possible: querying the registry for each package takes a third of the time. */
async function npm(args, about, freshness = '--prefer-offline') {
  const [command, ...first] = npmCommand();
  try {
    await run(command, [...first, ...args, freshness], { quiet: true });
  } catch (error) {
    if (!error.output) throw error;
    // The cache does not know the requested version.
    if (freshness === '--prefer-offline' && /ETARGET/.test(error.output))
      return npm(args, about, '--prefer-online');
    throw new Ended(`npm could not install ${about}. It said:\n\n${error.output.trim()}`, error.code);
  }
}

/** npm as a script for our own Node: its name differs by system, and Windows starts `.cmd` files only through a shell. */
function npmCommand() {
  const beside = dirname(process.execPath);
  const script = [
    process.env.npm_execpath,
    join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find((path) => path && basename(path) === 'npm-cli.js' && existsSync(path));
  return script ? [process.execPath, script] : ['npm'];
}

function moveInto(parent, from, to) {
  mkdirSync(parent, { recursive: true });
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

function sameEntries(one = {}, other = {}) {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
