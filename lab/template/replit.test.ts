/**
 * Does what Replit does with this repository: installs, builds and runs it by `.replit`, with nothing set but what the
 * platform sets, and stops it the way the platform does.
 *
 * What is known of the platform stands in docs/deploying.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { freePort, type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { copyFiles, environment, run } from '../../tests/support/working-copy.ts';

/** From SIGTERM to SIGKILL. */
const PATIENCE_MS = 10_000;
/** The proxy that ends TLS adds these; clients may send the first as well, and it stands before what the proxy knows. */
const THROUGH_PROXY = { 'x-forwarded-for': '198.51.100.7, 203.0.113.9', 'x-forwarded-proto': 'https' };

let copy: string;
let settings: ReturnType<typeof parse>;

beforeAll(async () => {
  copy = await copyFiles();
  settings = parse(await readFile(join(copy, '.replit'), 'utf8'));
});
afterAll(() => rm(copy, { recursive: true, force: true }));

/** The lines of `.replit` that matter, which are JSON but for the names before them. */
function parse(text: string) {
  const value = (name: string, section = '') => {
    const from = section === '' ? 0 : text.indexOf(section);
    const found = new RegExp(`^${name} = (.+)$`, 'm').exec(text.slice(from))?.[1];
    if (from < 0 || found === undefined) throw new Error(`.replit has no ${name} in ${section}`);
    return JSON.parse(found);
  };
  return {
    modules: value('modules') as string[],
    run: value('run') as string[],
    target: value('deploymentTarget', '[deployment]') as string,
    build: value('build', '[deployment]') as string[],
    serve: value('run', '[deployment]') as string[],
    localPort: value('localPort', '[[ports]]') as number,
  };
}

/** A database that can be taken away, as the platform hands it over. */
async function externalDatabase() {
  const database = await createDatabase('empty');
  const { hostname, port } = new URL(database.url);
  const proxy = await TcpProxy.start({ host: hostname, port: Number(port) });
  const address = new URL(database.url);
  address.port = String(proxy.port);
  onTestFinished(async () => {
    await proxy.stop();
    await database.drop();
  });
  return { url: address.href, proxy, direct: database.url };
}

/** Runs the deployment's command with no setting but the platform's own. */
async function deploy(databaseUrl: string): Promise<SpawnedServer> {
  const [program, ...rest] = settings.serve;
  const flags = rest.filter((argument) => argument.startsWith('--'));
  const [main = '', ...args] = rest.slice(flags.length);
  expect(program).toBe('node');
  const PLATFORM = { REPL_ID: 'some-id', REPLIT_DEPLOYMENT: '1', DATABASE_URL: databaseUrl };
  // No address to listen on, and the ordinary limit of requests.
  const env = { ...PLATFORM, HOST: '', RATE_LIMIT_MAX: '', PORT: String(await freePort()) };
  const server = await startServer(env, { main: join(copy, main), args, cwd: copy, flags });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Asks under a name that only the platform's proxy knows; `fetch` sends no `Host` of one's own. */
async function ask(
  server: SpawnedServer,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const asked = request(`${server.url}${path}`, {
    headers: { host: 'my-app.replit.app', accept: 'text/html,*/*', ...headers },
    agent: false,
  });
  asked.end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

describe('a deployment', () => {
  it('is built without development packages', async () => {
    expect(settings.modules).toContain('nodejs-24');
    expect(settings.target).toBe('autoscale');
    await run(copy, 'npm ci --omit=dev --no-audit --no-fund --loglevel=error --prefer-offline');
    await run(copy, settings.build.join(' '));
  });

  it('shows its page at once under any Host, before there is a database; then is ready without a secret', async () => {
    const { url, proxy } = await externalDatabase();
    await proxy.refuse();
    const server = await deploy(url);
    await server.open();
    for (const host of ['my-app.replit.app', 'xyz--abc.id.repl.co', 'www.example.com', '10.1.2.3:8080']) {
      const { status, body, headers } = await ask(server, '/', { host, ...THROUGH_PROXY });
      expect(status).toBe(200);
      expect(body).toContain('<title>');
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['strict-transport-security']).toContain('max-age');
    }
    expect((await ask(server, '/ready')).status).toBe(503);
    await proxy.pass();
    await server.ready();
    const health = JSON.parse((await ask(server, '/health')).body);
    expect(health).toMatchObject({ checks: { database: { status: 'passing' } }, environment: 'production' });
    expect((await ask(server, '/api/monitoring/anything')).status).toBe(401);
    expect(await server.end()).toBe(0);
    expect(server.output()).toContain('INTERNAL_API_KEY is unset');
  });

  it('knows the client by what the one proxy before it says, and not by what the client says', async () => {
    const server = await deploy((await externalDatabase()).url);
    await server.ready();
    const left = async (client: string) => {
      const headers = { ...THROUGH_PROXY, 'x-forwarded-for': client };
      const answer = await ask(server, '/api/there-is-no-such-thing', headers);
      return Number(/;r=(\d+)/.exec(String(answer.headers.ratelimit))?.[1]);
    };
    const first = await left('192.0.2.1, 203.0.113.9');
    expect(first).toBeGreaterThan(0);
    expect(await left('192.0.2.2, 203.0.113.9')).toBe(first - 1);
    expect(await left('192.0.2.2, 203.0.113.10')).toBe(first);
  });

  it('is frozen, loses its connections, is thawed, and answers its first visitor', async () => {
    const { url, proxy } = await externalDatabase();
    const server = await deploy(url);
    await server.ready();
    server.child.kill('SIGSTOP');
    proxy.cut();
    await sleep(6_000);
    server.child.kill('SIGCONT');
    const [page, health] = await Promise.all([ask(server, '/'), ask(server, '/health')]);
    expect([page.status, health.status]).toEqual([200, 200]);
    expect(JSON.parse(health.body).checks.database.status).toBe('passing');
    expect((await ask(server, '/ready')).status).toBe(200);
  });

  it('ends by itself before it is killed, although clients are still connected', async () => {
    const server = await deploy((await externalDatabase()).url);
    await server.ready();
    const idle = request(`${server.url}/`, { headers: { connection: 'keep-alive' } });
    idle.end();
    const [answer] = await once(idle, 'response');
    answer.resume();
    const started = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.ended(PATIENCE_MS)).toBe(0);
    expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
  });

  it('stops with 70 where the platform made other tables, and says which', async () => {
    const { url, direct } = await externalDatabase();
    const first = await deploy(url);
    await first.ready();
    expect(await first.end()).toBe(0);
    const { rows } = await query(
      direct,
      `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace limit 1`,
    );
    // A project without tables has none that could differ.
    if (rows.length === 0) return;
    await query(
      direct,
      `DROP SCHEMA drizzle CASCADE; ALTER TABLE ${rows[0].relname} ADD COLUMN stranger int`,
    );
    const untouched = await deploy(url);
    await untouched.ready();
    expect(await untouched.end()).toBe(0);
    expect(untouched.output()).toContain('Migration adopted');

    await query(direct, `DROP SCHEMA drizzle CASCADE; DROP TABLE ${rows[0].relname}`);
    const second = await deploy(url);
    expect(await second.ended()).toBe(70);
    expect(second.output()).toContain(`missing    table ${rows[0].relname}`);
  });
});

describe('a workspace', () => {
  const DOMAIN = '1234-00-abcd.janeway.replit.dev';
  const WORKSPACE = {
    REPL_ID: 'some-id',
    REPLIT_DEV_DOMAIN: DOMAIN,
    NODE_ENV: 'development',
    HOST: '',
    PORT: '',
  };

  it.each([
    ['as built', 'dist/server/main.js', []],
    ['from the sources', 'server/main.ts', ['dev']],
  ])('lets the editor show the preview in a frame, %s', async (_how, main, args) => {
    const { url } = await externalDatabase();
    const env = { ...WORKSPACE, DATABASE_URL: url, PORT: String(await freePort()) };
    await using server = await startServer(env, { main: join(copy, main), args, cwd: copy });
    await server.ready();
    const preview = { host: DOMAIN };
    const { headers, status, body } = await ask(server, '/', preview);
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toMatch(/frame-ancestors 'self' https:\/\/replit\.com /);
    expect(headers['x-frame-options']).toBeUndefined();
    const [, script = ''] = /<script type="module"[^>]* src="([^"]+)"/.exec(body) ?? [];
    expect((await ask(server, script, { ...preview, accept: '*/*' })).status).toBe(200);
    expect(script).not.toBe('');
    expect((await ask(server, '/', { host: 'abcd.replit.dev' })).status).toBe(421);
  });

  it('keeps to the port that the preview shows', async () => {
    expect(settings.run).toEqual(['npm', 'run', 'dev']);
    const { url } = await externalDatabase();
    const taken = createServer().on('error', () => {});
    taken.listen(settings.localPort, '0.0.0.0');
    await Promise.race([once(taken, 'listening'), once(taken, 'error')]);
    const child = spawn(process.execPath, [join(copy, 'dist/server/main.js')], {
      cwd: copy,
      env: { ...environment(), ...WORKSPACE, DATABASE_URL: url },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close', { signal: AbortSignal.timeout(60_000) });
    taken.close();
    expect(code).toBe(1);
    expect(said).toContain(`Port ${settings.localPort} is in use`);
  });
});
