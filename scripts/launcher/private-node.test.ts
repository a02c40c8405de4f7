import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { runCommand } from '../../tests/support/run-command.ts';

const SCRIPTS = resolve(import.meta.dirname, '..');
/** Makes a process believe that it is an old Node. */
const OLD = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})`;

/** A package as a registry would serve it, whose program leaves a mark when it runs. */
async function forgedPackage(folder: string, name: string, version: string, mark: string): Promise<Buffer> {
  await mkdir(join(folder, 'package/bin'), { recursive: true });
  await writeFile(join(folder, 'package/package.json'), JSON.stringify({ name, version }));
  await writeFile(join(folder, 'package/bin/node'), `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 });
  execFileSync('tar', ['czf', 'package.tgz', 'package'], { cwd: folder });
  return readFile(join(folder, 'package.tgz'));
}

// A program of another system than this one is hard to forge.
it.runIf(process.platform !== 'win32')(
  'a Node of other bytes than the pinned ones is never run',
  async ({ onTestFinished }) => {
    const folder = await mkdtemp(join(tmpdir(), 'private-node-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const clone = join(folder, 'clone');
    await cp(SCRIPTS, join(clone, 'scripts'), { recursive: true });
    await cp(resolve(SCRIPTS, '../package.json'), join(clone, 'package.json'));

    const source = await readFile(join(SCRIPTS, 'launcher/private-node.mjs'), 'utf8');
    const mark = join(folder, 'it-ran');
    const asked: string[] = [];
    const registry = createServer(async (request, response) => {
      const path = String(request.url).slice(1);
      const [name = ''] = path.split('.tgz');
      const version = new RegExp(`'${name}',\\s+'([\\d.]+)'`).exec(source)?.[1] ?? '';
      asked.push(path);
      const archive = await forgedPackage(join(folder, 'forged'), name, version, mark);
      if (path.endsWith('.tgz')) return response.end(archive);
      const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
      const dist = { tarball: `http://${request.headers.host}/${name}.tgz`, integrity };
      const versions = { [version]: { name, version, dist } };
      return response.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions }));
    });
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
    onTestFinished(() => void registry.close());

    const { PATH, npm_execpath } = process.env;
    const { code, output } = await runCommand(
      process.execPath,
      ['--import', OLD, 'scripts/run.mjs', 'test:smoke', 'http://127.0.0.1:1'],
      {
        cwd: clone,
        env: {
          PATH,
          ...(npm_execpath ? { npm_execpath } : {}),
          HOME: folder,
          npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}`,
          npm_config_cache: join(folder, 'cache'),
        },
      },
    );
    expect(asked.length).toBeGreaterThan(0);
    expect(existsSync(mark)).toBe(false);
    expect(code).toBe(1);
    expect(output).toContain('EINTEGRITY');
  },
);
