/**
 * The image as it is built and run: hardened as compose.yaml hardens it, on a real PostgreSQL, under the two roles of
 * deploy/postgres. Figures are printed; times are told, not judged.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { freePort, ROOT } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { hardeningOf, service, volumesOf } from './compose.ts';
import { type Container, Engine } from './engine.ts';

const MIB = 1024 * 1024;
/** What the image may add to its base. */
const MAX_ABOVE_BASE = 15 * MIB;
const OUTAGE_MS = 60_000;
const { image: IMAGE, base, databaseUrl, passwords, secrets } = inject('packaging');
const HARDENED = hardeningOf(service('app'));
const VOLUMES = volumesOf(service('app'), secrets);
let engine: Engine;
const told: string[] = [];
const tell = (figure: string) => told.push(figure);

beforeAll(async () => {
  engine = await Engine.find();
  await engine.prepareToRun(IMAGE);
});

afterAll(() => console.log(told.map((line) => `  ${line}`).join('\n')));

/** The database as the server sees it, from a container on the host's network: rows, and nothing but rows. */
function urlOfServer(port = new URL(databaseUrl).port): string {
  const url = new URL(databaseUrl);
  [url.username, url.password, url.port] = ['app', passwords.app, port];
  return url.href;
}

const flagsFor = (env: Record<string, string>) =>
  Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);

interface Served extends AsyncDisposable {
  url: string;
  container: Container;
  readyMs: number;
}

/** Starts the image as compose.yaml does, and waits until it is ready. */
async function serve(env: Record<string, string> = {}, flags: string[] = VOLUMES): Promise<Served> {
  const port = await freePort();
  const settings = {
    PORT: String(port),
    DATABASE_URL: urlOfServer(),
    MIGRATE_ON_START: 'false',
    RATE_LIMIT_MAX: '100000',
    ...env,
  };
  const began = performance.now();
  const container = await engine.start(IMAGE, [...HARDENED, ...flags, ...flagsFor(settings)]);
  const url = `http://127.0.0.1:${port}`;
  for (const limit = Date.now() + 120_000; (await statusOf(`${url}/ready`)) !== 200; await sleep(10)) {
    if (Date.now() < limit) continue;
    const said = await container.output();
    await container[Symbol.asyncDispose]();
    throw new Error(`The container did not become ready. It said:\n${said}`);
  }
  const readyMs = Math.round(performance.now() - began);
  return { url, container, readyMs, [Symbol.asyncDispose]: () => container[Symbol.asyncDispose]() };
}

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(20_000) });
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

/** Every path of an image, and of what of it the engine makes at each start. */
async function pathsOf(image: string): Promise<Set<string>> {
  const find = [
    '/',
    '-xdev',
    '(',
    '-path',
    '/proc',
    '-o',
    '-path',
    '/sys',
    '-o',
    '-path',
    '/dev',
    ')',
    '-prune',
  ];
  const outcome = await engine.runOnce(
    image,
    ['--user', '0', '--entrypoint', 'find'],
    [...find, '-o', '-print'],
  );
  return new Set(outcome.stdout.split('\n').filter((path) => path && !path.startsWith('/run/')));
}

describe('the image', () => {
  it('adds little to its base', async () => {
    const [image, below] = [await engine.inspect(IMAGE), await engine.inspect(base)];
    const above = image.Size - below.Size;
    tell(`size: ${(above / MIB).toFixed(1)} MiB above its base of ${Math.round(below.Size / MIB)} MiB`);
    expect(above).toBeGreaterThan(MIB);
    expect(above).toBeLessThan(MAX_ABOVE_BASE);
  });

  it('adds dist/ and nothing else', async () => {
    const [image, below] = [await pathsOf(IMAGE), await pathsOf(base)];
    const added = [...image].filter((path) => !below.has(path));
    expect([...below].filter((path) => !image.has(path))).toEqual([]);
    // Empty: for reports of the heap, on a volume.
    expect(added.filter((path) => !path.startsWith('/app'))).toEqual(['/diagnostics']);
    const cached = added.filter((path) => path.startsWith('/app/dist/server/.compile-cache/'));
    expect(cached.length).toBeGreaterThan(5);
    const built = await readdir(join(ROOT, 'dist'), { recursive: true });
    const expected = built
      .filter((path) => !path.includes('.compile-cache'))
      .map((path) => `/app/dist/${path}`);
    expect(added.filter((path) => /^\/app(?!.*\.compile-cache)/.test(path)).sort()).toEqual(
      ['/app', '/app/dist', ...expected].sort(),
    );
  });

  it('says what it is, and carries no secret', async () => {
    const { Config, Healthcheck } = await engine.inspect(IMAGE);
    expect(Healthcheck?.Test).toEqual(['CMD', 'node', 'dist/server/healthcheck.js']);
    expect(Config).toMatchObject({
      User: 'node',
      WorkingDir: '/app',
      StopSignal: 'SIGTERM',
      Entrypoint: ['node', '--min-semi-space-size=4', 'dist/server/main.js'],
      ExposedPorts: { '5000/tcp': {} },
      Labels: {
        'org.opencontainers.image.version': '1.2.3',
        'org.opencontainers.image.revision': 'abcdef0',
        'org.opencontainers.image.base.name': base,
      },
    });
    expect(Config.Cmd ?? []).toEqual([]);
    const own = Config.Env.map((entry) => entry.split('=')[0]).filter(
      (name) => !/^(PATH|NODE_VERSION|YARN_VERSION)$/.test(name ?? ''),
    );
    expect(own.sort()).toEqual(['DIAGNOSTICS_DIR', 'NODE_ENV', 'NODE_OPTIONS']);
    const history = await engine.call(['history', '--no-trunc', '--format', '{{.CreatedBy}}', IMAGE]);
    expect(history).not.toMatch(/BEGIN CERTIFICATE|_auth|registry=/);
  });
});

describe('a hardened container', () => {
  let served: Served;
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.start({ host: '127.0.0.1', port: Number(new URL(databaseUrl).port) });
    const url = urlOfServer(String(proxy.port));
    served = await serve({ DATABASE_URL: url, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' });
  });
  afterAll(async () => {
    await served?.[Symbol.asyncDispose]();
    await proxy?.stop();
  });

  const shell = async (script: string) => (await served.container.exec(['sh', '-c', script])).stdout.trim();

  it('is ready soon', async () => {
    // The log may wait for a moment before it is written.
    const line = await vi.waitFor(
      async () => {
        const found = /"readyMs":(\d+)/.exec(await served.container.output());
        expect(found).not.toBeNull();
        return found as RegExpExecArray;
      },
      { timeout: 60_000, interval: 50 },
    );
    tell(`ready ${served.readyMs} ms after \`run\`, ${line[1]} ms of it the server's own`);
  });

  it('is node alone, without privileges, on a file system that it cannot write', async () => {
    expect(await shell(`tr '\\0' ' ' < /proc/1/cmdline`)).toBe(
      'node --min-semi-space-size=4 dist/server/main.js',
    );
    expect(await shell('id -u')).toBe('1000');
    expect(await shell('grep -E "^(CapEff|CapBnd|NoNewPrivs):" /proc/1/status | tr -s "\\t" " "')).toBe(
      'CapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1',
    );
    expect((await served.container.exec(['touch', '/app/dist/x'])).code).not.toBe(0);
    // Not by the read-only mount alone: nothing of it belongs to the server.
    expect(await shell('find /app -user node -o -writable | head')).toBe('');
  });

  it('serves page, files and rows', async () => {
    const page = await (await fetch(served.url)).text();
    const script = /src="(\/assets\/[^"]+)"/.exec(page)?.[1];
    expect(await statusOf(served.url + script)).toBe(200);
    const health = (await (await fetch(`${served.url}/health`)).json()) as { checks: object };
    expect(health).toMatchObject({ checks: { database: { status: 'passing' } } });
  });

  it('finds the code that V8 compiled when the image was built', async () => {
    const output = await served.container.output();
    const asked = [...output.matchAll(/reading cache from .* for \w+ (\S+)\.\.\.\s*(.*)/g)];
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter(([, , result]) => !/success/.test(result ?? '')).map(([line]) => line)).toEqual([]);
    const accepted = [...output.matchAll(/V8 code cache for .* was accepted/g)];
    expect(accepted).toHaveLength(asked.length);
    tell(`compile cache: ${accepted.length} of ${asked.length} files were taken from it`);
  });

  it('keeps its heap within its memory', async () => {
    const limit = Number(await shell("node -p 'v8.getHeapStatistics().heap_size_limit'")) / MIB;
    const memory = Number(await shell("node -p 'process.constrainedMemory()'")) / MIB;
    tell(`heap: at most ${Math.round(limit)} MiB of ${memory} MiB`);
    expect(memory).toBe(256);
    expect(limit).toBeLessThan(0.6 * memory);
  });

  it('stands some thousand requests in its 256 MiB', async () => {
    const paths = ['/', '/api/status', '/health', '/api/openapi.json'];
    const worker = async () => {
      for (let i = 0; i < 100; i++) expect(await statusOf(served.url + paths[i % paths.length])).toBe(200);
    };
    await Promise.all(Array.from({ length: 40 }, worker));
    const health = (await (await fetch(`${served.url}/health`)).json()) as { memory: { rss: number } };
    tell(`memory: ${Math.round(health.memory.rss / MIB)} MiB resident after 4,000 requests, 40 at a time`);
    expect(await served.container.state('.State.OOMKilled')).toBe('false');
    expect(await served.container.state('.State.Running')).toBe('true');
  });

  it('writes a report of the heap where it outlives the container', async () => {
    expect(service('app').volumes).toContain('diagnostics:/diagnostics');
    await served.container.signal('USR2');
    const file = await vi.waitFor(
      async () => {
        const found = /"file":"(\/diagnostics\/report-[^"]+)"/.exec(await served.container.output());
        expect(found).not.toBeNull();
        return found?.[1] ?? '';
      },
      { timeout: 60_000, interval: 100 },
    );
    expect(JSON.parse(await shell(`cat ${file}`))).toHaveProperty('heapAfterCollection');
    expect(await statusOf(`${served.url}/ready`)).toBe(200);
    expect(await served.container.output()).not.toContain('No report will be written');
  });

  it(`stays alive and healthy while its database is away for ${OUTAGE_MS / 1000} s`, async () => {
    const identity = () => served.container.state('.State.Pid');
    const before = await identity();
    await proxy.refuse();
    let asked = 0;
    for (const until = Date.now() + OUTAGE_MS; Date.now() < until; await sleep(2_000)) {
      expect(await statusOf(`${served.url}/live`)).toBe(200);
      expect(await served.container.isHealthy()).toBe(true);
      expect(await statusOf(served.url)).toBe(200);
      asked++;
      const ready = await statusOf(`${served.url}/ready`);
      // It takes some failures in a row to believe it.
      if (asked <= 5) continue;
      expect(ready).toBe(503);
      // How compose.yaml waits for a replica before it goes on to the next.
      const [, ...command] = service('replica-1').healthcheck?.test ?? [];
      expect((await served.container.exec(command)).stderr).toContain('/ready on 127.0.0.1');
    }
    await proxy.pass();
    for (
      const limit = Date.now() + 60_000;
      (await statusOf(`${served.url}/ready`)) !== 200;
      await sleep(100)
    ) {
      expect(Date.now()).toBeLessThan(limit);
    }
    expect(await identity()).toBe(before);
    tell(`database away for ${OUTAGE_MS / 1000} s: healthy ${asked} times of ${asked}, the same process`);
  });

  it('is unhealthy where nothing answers, and while it is frozen', async () => {
    expect(await served.container.isHealthy({ PORT: '1' })).toBe(false);
    await served.container.signal('STOP');
    try {
      expect(await served.container.isHealthy()).toBe(false);
    } finally {
      await served.container.signal('CONT');
    }
    const began = performance.now();
    expect(await served.container.isHealthy()).toBe(true);
    tell(`health check: ${Math.round(performance.now() - began)} ms, with the engine's own time`);
  });

  it('ends at SIGTERM, having drained', async () => {
    const began = performance.now();
    await served.container.signal('TERM');
    expect(await served.container.exitCode()).toBe(0);
    tell(`SIGTERM: exit 0 after ${Math.round(performance.now() - began)} ms, with the engine's own time`);
    expect(await served.container.output()).toContain('draining → stopped');
  });
});

it('takes NODE_OPTIONS from the environment', async () => {
  const options = flagsFor({ NODE_OPTIONS: '--max-old-space-size=100' });
  const { stdout } = await engine.runOnce(
    IMAGE,
    [...HARDENED, ...options, '--entrypoint', 'node'],
    ['-p', 'v8.getHeapStatistics().heap_size_limit'],
  );
  expect(Number(stdout.trim()) / MIB).toBeLessThan(120);
});

it('without a folder that it can write serves, and says what is missing', async () => {
  // Podman makes some folders writable unless it is told not to.
  const flags = engine.name === 'podman' ? ['--read-only-tmpfs=false'] : [];
  await using served = await serve({}, flags);
  const said = async (text: string) =>
    vi.waitFor(async () => expect(await served.container.output()).toContain(text), {
      timeout: 60_000,
      interval: 100,
    });
  await said('/diagnostics cannot be written (EROFS). Set DIAGNOSTICS_DIR to a writable folder.');
  await served.container.signal('USR2');
  await said('no report could be written to /diagnostics/');
  expect(await statusOf(`${served.url}/ready`)).toBe(200);
});

it('whose disk of the log is full is unhealthy, and ready all the same', async () => {
  await using served = await serve({ LOG_FILE: '/logs/server.log' }, ['--tmpfs', '/logs:size=4m,mode=1777']);
  const health = async () => {
    const answer = await fetch(`${served.url}/health`);
    const { checks } = (await answer.json()) as { checks: { disk: { status: string; error?: string } } };
    return { status: answer.status, disk: checks.disk };
  };
  // A check that has not answered yet fails.
  await expect.poll(health, { timeout: 60_000 }).toMatchObject({ status: 200, disk: { status: 'passing' } });
  const full = await served.container.exec(['sh', '-c', 'cat /dev/zero > /logs/others']);
  expect(full.stderr).toContain('No space left');
  await expect.poll(health, { timeout: 60_000, interval: 200 }).toMatchObject({
    status: 503,
    disk: { status: 'failing', error: 'the disk is full' },
  });
  for (const path of ['/ready', '/live', '/', '/api/status']) {
    expect(await statusOf(served.url + path), path).toBe(200);
  }
  await served.container.exec(['rm', '/logs/others']);
  await expect.poll(health, { timeout: 60_000, interval: 200 }).toMatchObject({
    status: 200,
    disk: { status: 'passing' },
  });
});
