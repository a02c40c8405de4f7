import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../../tests/support/server.ts';
import { type Engine, isInstalled, must, run } from './engine.ts';

/** The base that the Dockerfile names. */
const BASE = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '';
/** Under a name of its own, so that nobody takes it for the real one. */
const MADE_BASE = 'localhost/made-base:node-24-bookworm';

/**
 * The base image: the one that is here, the registry's, or else one made like it.
 *
 * @returns Its name, and how it was come by, in words.
 */
export async function provideBase(engine: Engine): Promise<{ base: string; how: string }> {
  const isHere = async (image: string) => (await engine.try(['image', 'inspect', image])).code === 0;
  if (await isHere(BASE)) return { base: BASE, how: `${BASE}, which is here` };
  if ((await engine.try(['pull', '--quiet', BASE], 120_000)).code === 0) {
    return { base: BASE, how: `${BASE}, pulled` };
  }
  const how = `no ${BASE} within reach; in its place Debian bookworm by debootstrap, with Node ${process.versions.node}`;
  if (!(await isHere(MADE_BASE))) await makeBase(engine);
  return { base: MADE_BASE, how };
}

/** Debian's smallest system, this Node with its npm, and the user `node` with number 1000: what the official image has. */
async function makeBase(engine: Engine): Promise<void> {
  if (process.getuid?.() !== 0 || !(await isInstalled('debootstrap'))) {
    throw new Error(
      `${BASE} cannot be pulled. To make one like it takes root and debootstrap: apt-get install debootstrap`,
    );
  }
  // PostgreSQL's and others' temporary folders may forbid devices; this one holds a system.
  const folder = await mkdtemp(join('/var/tmp', 'base-'));
  try {
    await must(['debootstrap', '--variant=minbase', 'bookworm', folder], { limitMs: 240_000 });
    const local = join(folder, 'usr', 'local');
    await mkdir(join(local, 'lib', 'node_modules'), { recursive: true });
    await cp(process.execPath, join(local, 'bin', 'node'));
    await cp(await npmFolder(), join(local, 'lib', 'node_modules', 'npm'), { recursive: true });
    for (const tool of ['npm', 'npx']) {
      await symlink(`../lib/node_modules/npm/bin/${tool}-cli.js`, join(local, 'bin', tool));
    }
    await must(['chroot', folder, 'useradd', '--uid', '1000', '--user-group', '--create-home', 'node']);
    for (const leftover of ['var/cache/apt', 'var/lib/apt/lists', 'var/log']) {
      await rm(join(folder, leftover), { recursive: true, force: true });
    }
    const archive = `${folder}.tar`;
    try {
      await must(['tar', '--create', '--file', archive, '--directory', folder, '.']);
      await engine.call(['import', '--change', 'CMD ["node"]', archive, MADE_BASE], 120_000);
    } finally {
      await rm(archive, { force: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function npmFolder(): Promise<string> {
  const script = process.env.npm_execpath ?? (await realpath(await must(['which', 'npm'])));
  return dirname(dirname(script));
}

/** Builds the image as its users do, with this machine's registry and authorities. */
export async function buildImage(engine: Engine, tag: string, base: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'npmrc-'));
  try {
    const npmrc = join(folder, 'npmrc');
    await writeFile(npmrc, await npmSettings(), { mode: 0o600 });
    const args = { NODE_IMAGE: base, VERSION: '1.2.3', REVISION: 'abcdef0' };
    await engine.build(tag, [
      '--secret',
      `id=npmrc,src=${npmrc}`,
      ...Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function npmSettings(): Promise<string> {
  const { stdout } = await run(['npm', 'config', 'get', 'registry']);
  const registry = stdout.trim();
  const lines = registry.startsWith('http') ? [`registry=${registry}`] : [];
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  if (authorities) {
    const text = await readFile(authorities, 'utf8');
    for (const [certificate] of text.matchAll(
      /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g,
    )) {
      lines.push(`ca[]="${certificate.replaceAll('\n', '\\n')}"`);
    }
  }
  return `${lines.join('\n')}\n`;
}
