/**
 * deploy/haproxy and deploy/nginx in front of two real replicas that count in one Redis, with the files as they are but for
 * addresses: what a visitor sees, what the replicas believe, and a rolling restart while requests come.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDatabase } from '../../tests/support/postgres.ts';
import { freePort, ROOT, type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { user } from '../../tests/support/user.ts';
import { service } from './compose.ts';
import { isInstalled, must } from './engine.ts';

const KEY = 'Zq3vN8xT1mKc7RbW5yHd2LfJ9sGp4AeU6iOoXzCvBnM';
const PASSWORD = 'of-redis-0123456789';
const programs = ['haproxy', 'nginx', 'redis-server', 'openssl'];
const missing = (await Promise.all(programs.map(isInstalled))).flatMap((is, at) =>
  is ? [] : [programs[at]],
);

const nextPorts = async () => ({ plain: await freePort(), tls: await freePort() });
let ports: Awaited<ReturnType<typeof nextPorts>>;
let folder: string;
let database: TcpProxy;
let databaseUrl: string;
let redisPort: number;
const replicas: SpawnedServer[] = [];
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** On the same port each time, as a container comes back under its name. */
async function startReplica(index: number): Promise<SpawnedServer> {
  const url = new URL(databaseUrl);
  // The second one's database can be taken away from it alone.
  if (index === 1) url.port = String(database.port);
  const settings = service('replica-1').environment ?? {};
  const port = replicas[index]?.port ?? (await freePort());
  const server = await startServer({
    PORT: String(port),
    DATABASE_URL: url.href,
    TRUST_PROXY: 'loopback',
    INTERNAL_API_KEY: KEY,
    RATE_LIMIT_STORE: String(settings.RATE_LIMIT_STORE),
    REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:${redisPort}`,
    DRAIN_DELAY_MS: String(settings.DRAIN_DELAY_MS),
    SHUTDOWN_TIMEOUT_MS: String(settings.SHUTDOWN_TIMEOUT_MS),
  });
  replicas[index] = server;
  await server.ready();
  return server;
}

function start(program: string, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** compose.yaml's own command, on another port and with another file. */
async function startRedis(): Promise<ChildProcess> {
  redisPort = await freePort();
  const settings = join(folder, 'redis.conf');
  await writeFile(settings, `requirepass ${PASSWORD}\n`);
  const [program = '', , ...rest] = service('redis').command ?? [];
  return start(program, [
    settings,
    ...rest,
    '--port',
    String(redisPort),
    '--dir',
    folder,
    '--loglevel',
    'warning',
  ]);
}

/** deploy/compose/make-certificate.sh, for a folder of the test. Only root can give the file away. */
async function makeCertificate(): Promise<void> {
  const script = await readFile(join(ROOT, 'deploy/compose/make-certificate.sh'), 'utf8');
  const here = script.replaceAll('/certs', folder);
  await must(['sh', '-c', process.getuid?.() === 0 ? here : here.replace(/^chown .*$/m, '')]);
}

beforeAll(async () => {
  if (missing.length > 0) {
    throw new Error(`This test runs ${missing.join(', ')}: apt-get install ${missing.join(' ')}`);
  }
  folder = await mkdtemp(join(tmpdir(), 'proxies-'));
  await chmod(folder, 0o755);
  databaseUrl = (await createDatabase()).url;
  database = await TcpProxy.start({ host: '127.0.0.1', port: Number(new URL(databaseUrl).port) });
  await Promise.all([startRedis(), makeCertificate()]);
  for (const index of [0, 1]) await startReplica(index);
});

afterAll(async () => {
  for (const server of replicas) await server[Symbol.asyncDispose]();
  for (const child of children) await end(child);
  await database?.stop();
  if (folder) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });

/** @returns The answer once its head is there. */
async function open(
  port: number,
  path: string,
  options: RequestOptions & { body?: string } = {},
): Promise<IncomingMessage> {
  const { body, ...rest } = options;
  const asked = request({ host: '127.0.0.1', port, path, agent, ...rest });
  const answered = once(asked, 'response');
  asked.end(body);
  const [response] = await answered;
  return response;
}

async function ask(port: number, path: string, options?: Parameters<typeof open>[2]): Promise<Answer> {
  const response = await open(port, path, options);
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

const readNotes = (port: number): Promise<Answer> => ask(port, '/api/notes', { headers: user.headers });
const writeNote = (port: number, title: string): Promise<Answer> =>
  ask(port, '/api/notes', {
    method: 'POST',
    headers: { ...user.headers, 'content-type': 'application/json', origin: `https://127.0.0.1:${port}` },
    body: JSON.stringify({ title }),
  });

/** What stands in `RateLimit` as left. */
const remaining = ({ headers }: Answer) => Number(/r=(\d+)/.exec(String(headers.ratelimit))?.[1]);

/** Reads and writes, one after the other, on several connections, until it is stopped. */
function keepAsking(port: number): { stop(): Promise<Map<number, number>> } {
  let going = true;
  const answers = new Map<number, number>();
  const count = (status: number) => answers.set(status, (answers.get(status) ?? 0) + 1);
  const visitor = async (number: number) => {
    for (let turn = 0; going; turn++) {
      const asked = turn % 4 === 0 ? writeNote(port, `By ${number}, ${turn}`) : readNotes(port);
      await asked.then(
        ({ status }) => count(status),
        () => count(0),
      );
      await sleep(40);
    }
  };
  const visitors = [1, 2, 3, 4].map(visitor);
  return {
    async stop() {
      going = false;
      await Promise.all(visitors);
      return answers;
    },
  };
}

/** One replica after the other ends and comes back, as in a release. */
async function roll(): Promise<void> {
  for (const index of [0, 1]) {
    expect(await replicas[index]?.end()).toBe(0);
    await startReplica(index);
    // What `docker compose up --wait` and a proxy's next looks take.
    await sleep(2_500);
  }
}

/** What holds behind either proxy. */
function proxied(): void {
  it('serves the page over TLS, and sends visitors there', async () => {
    const page = await ask(ports.tls, '/', { headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/^<!doctype html>/i);
    // The replica has been told of TLS, and believes it.
    expect(page.headers['strict-transport-security']).toMatch(/^max-age=\d+/);
    const asked = plainRequest({ host: '127.0.0.1', port: ports.plain, path: '/notes?q=1' }).end();
    const [moved] = (await once(asked, 'response')) as [IncomingMessage];
    moved.resume();
    expect(moved.statusCode).toBe(308);
    expect(moved.headers.location).toMatch(/^https:\/\/[^/]+\/notes\?q=1$/);
  });

  it('takes writes of its own pages', async () => {
    const written = await writeNote(ports.tls, 'Through a proxy');
    expect(written.status).toBe(201);
  });

  it('replaces what a visitor claims to be, and both replicas count him as one', async () => {
    const claims = (address: string) => ({
      headers: { 'x-forwarded-for': address, forwarded: `for=${address}` },
    });
    // So that no window of the limit ends between two of them.
    const window = await ask(ports.tls, '/api/notes');
    const endsInS = Number(/;t=(\d+)/.exec(String(window.headers.ratelimit))?.[1]);
    if (endsInS < 10) await sleep(endsInS * 1_000 + 100);
    const left: number[] = [];
    for (let i = 1; i <= 8; i++)
      left.push(remaining(await ask(ports.tls, '/api/notes', claims(`203.0.113.${i}`))));
    for (const [i, now] of left.entries()) if (i > 0) expect(now).toBeLessThan(left[i - 1] as number);
  });

  // Operations, which has the stream, may have been stripped.
  it.runIf(existsSync(join(ROOT, 'server/modules/operations')))(
    'passes streams on as they come',
    async () => {
      const response = await open(ports.tls, '/api/monitoring/stream', {
        headers: { authorization: `Bearer ${KEY}` },
        agent: false,
        rejectUnauthorized: false,
      });
      expect(response.statusCode).toBe(200);
      const [first] = await once(response, 'data', { signal: AbortSignal.timeout(60_000) });
      expect(String(first)).toMatch(/^(retry|event|id|data):/m);
      response.destroy();
    },
  );

  it('loses nobody while both replicas are restarted', async () => {
    const asking = keepAsking(ports.tls);
    await roll();
    const answers = await asking.stop();
    const sum = [...answers.values()].reduce((a, b) => a + b, 0);
    console.log(`  rolling restart: ${sum} requests, ${JSON.stringify(Object.fromEntries(answers))}`);
    expect(sum).toBeGreaterThan(100);
    expect([...answers.keys()].sort()).toEqual([200, 201]);
  });
}

describe('HAProxy', () => {
  let haproxy: ChildProcess | undefined;
  beforeAll(async () => {
    ports = await nextPorts();
    const file = join(folder, 'haproxy.cfg');
    const text = await readFile(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8');
    const here = text
      .replace('bind :8080', `bind 127.0.0.1:${ports.plain}`)
      .replace('bind :8443', `bind 127.0.0.1:${ports.tls}`);
    expect(here.match(/bind 127/g)).toHaveLength(2);
    await writeFile(file, here.replace('log stdout format raw local0 info', ''));
    const env = {
      CERTIFICATE: join(folder, 'proxy.pem'),
      REPLICA_1: `127.0.0.1:${replicas[0]?.port}`,
      REPLICA_2: `127.0.0.1:${replicas[1]?.port}`,
    };
    const check = await must(['haproxy', '-c', '-f', file], { env });
    expect(check).toMatch(/Configuration file is valid/);
    haproxy = start('haproxy', ['-db', '-f', file], env);
    await vi.waitFor(async () => expect((await ask(ports.tls, '/live')).status).toBe(200), {
      timeout: 60_000,
      interval: 50,
    });
  });
  afterAll(() => end(haproxy));

  proxied();

  it('leaves a replica out that is alive and not ready', async () => {
    await database.refuse();
    try {
      // Its checks, and the proxy's, take some seconds to believe it.
      await vi.waitFor(async () => expect((await fetch(`${replicas[1]?.url}/ready`)).status).toBe(503), {
        timeout: 60_000,
        interval: 200,
      });
      await sleep(3_000);
      for (let i = 0; i < 20; i++) expect((await readNotes(ports.tls)).status).toBe(200);
      expect((await fetch(`${replicas[1]?.url}/live`)).status).toBe(200);
    } finally {
      await database.pass();
    }
    await replicas[1]?.ready();
  });
});

describe('nginx', () => {
  let nginx: ChildProcess | undefined;
  beforeAll(async () => {
    ports = await nextPorts();
    const site = await readFile(join(ROOT, 'deploy/nginx/app.conf'), 'utf8');
    const replaced: [string, string][] = [
      ['replica-1:5000', `127.0.0.1:${replicas[0]?.port}`],
      ['replica-2:5000', `127.0.0.1:${replicas[1]?.port}`],
      ['listen 80;', `listen 127.0.0.1:${ports.plain};`],
      ['listen 443 ', `listen 127.0.0.1:${ports.tls} `],
      ['/etc/nginx/certificates/app.pem', join(folder, 'proxy.pem')],
      ['/etc/nginx/certificates/app.key', join(folder, 'proxy.pem')],
    ];
    let here = site;
    for (const [from, to] of replaced) {
      expect(here).toContain(from);
      here = here.replace(from, to);
    }
    const file = join(folder, 'nginx.conf');
    await mkdir(join(folder, 'nginx'), { recursive: true });
    await writeFile(join(folder, 'app.conf'), here);
    // What a distribution's nginx.conf holds around it.
    await writeFile(
      file,
      `${process.getuid?.() === 0 ? 'user root;' : ''} pid ${folder}/nginx.pid; error_log stderr crit; daemon off;
      events {}
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${folder}/nginx/${what};`).join(' ')}
        include ${folder}/app.conf;
      }\n`,
    );
    await must(['nginx', '-t', '-q', '-c', file]);
    nginx = start('nginx', ['-c', file]);
    await vi.waitFor(async () => expect((await ask(ports.tls, '/live')).status).toBe(200), {
      timeout: 60_000,
      interval: 50,
    });
  });
  afterAll(() => end(nginx));

  proxied();
});
