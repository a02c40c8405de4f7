/**
 * `npm run test:smoke -- <address>`: checks a deployment from outside.
 *
 * A part adds the check of its `smoke.ts`; with `--read-only` those that write are skipped. They ask as the user of the API key
 * in SMOKE_API_KEY, if there is one. Exit code 1 if a check failed.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };

const USAGE = 'Usage: npm run test:smoke -- https://your.address [--read-only]';
/** Time for a sleeping deployment to wake up, in milliseconds. */
const TIMEOUT_MS = 20_000;

const ROOT = join(import.meta.dirname, '..');

/** `smoke` of a part's `smoke.ts`. `run` returns what it found in a few words, or throws. */
interface PartCheck {
  what: string;
  writes: boolean;
  run(send: typeof ask, skip: (why: string) => never): Promise<string>;
}

type Outcome = readonly [result: 'ok' | 'FAIL' | 'skip', what: string, found: string];

/** Thrown by a check, with what was found. */
class Failed extends Error {}
class Skipped extends Error {}

const outcomes: Outcome[] = [];
let base = '';

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  ms: number;
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const began = performance.now();
  const response = await fetch(base + path, {
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...init,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, ms: performance.now() - began };
}

/** Asks as the user of SMOKE_API_KEY. */
function askAsUser(path: string, init: RequestInit = {}): Promise<Answer> {
  const headers = new Headers(init.headers);
  const key = process.env.SMOKE_API_KEY;
  if (key) headers.set('authorization', `Bearer ${key}`);
  return ask(path, { ...init, headers });
}

/** Runs one check and adds its row to the table. @returns Whether it passed. */
async function check(what: string, run: () => Promise<string> | string): Promise<boolean> {
  try {
    outcomes.push(['ok', what, await run()]);
    return true;
  } catch (error) {
    if (error instanceof Skipped) outcomes.push(['skip', what, error.message]);
    else outcomes.push(['FAIL', what, reasonOf(error as Error)]);
    return false;
  }
}

/** The reason of an error of fetch is in its cause. */
function reasonOf(error: Error): string {
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause ? `${cause.code ?? cause.name}: ${cause.message}` : error.message;
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new Failed(otherwise);
}

const inMs = (ms: number) => `${Math.round(ms)} ms`;

function json(answer: Answer): Record<string, unknown> {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw new Failed(`no JSON, but '${answer.text.slice(0, 60)}'`);
  }
}

function expectStatus(answer: Answer, status: number): void {
  expect(answer.status === status, `${answer.status} instead of ${status}: ${answer.text.slice(0, 120)}`);
}

async function probes(): Promise<void> {
  for (const [path, holds] of [
    ['/live', (found) => found.alive === true],
    ['/startup', (found) => found.started === true],
    ['/ready', (found) => found.ready === true],
  ] as [string, (found: Record<string, unknown>) => boolean][]) {
    await check(path, async () => {
      const answer = await ask(path);
      expectStatus(answer, 200);
      expect(holds(json(answer)), `says ${answer.text}`);
      return `200 in ${inMs(answer.ms)}`;
    });
  }
  await check('/health', async () => {
    const answer = await ask('/health');
    expectStatus(answer, 200);
    const { status, checks = {} } = json(answer) as {
      status?: string;
      checks?: Record<string, { status: string; error?: string }>;
    };
    expect(status === 'healthy' || status === 'degraded', `says ${answer.text.slice(0, 120)}`);
    const troubled = Object.entries(checks).filter(([, { status }]) => status !== 'passing');
    return [status, ...troubled.map(([name, { error }]) => `${name}: ${error}`)].join(', ');
  });
  await check('version', async () => {
    const { name, version, state } = json(await ask('/api/status'));
    expect(typeof version === 'string' && state === 'ready', `${version}, ${state}`);
    const local = version === packageJson.version ? 'as this clone' : `this clone: ${packageJson.version}`;
    return `${name} ${version} (${local})`;
  });
}

async function securityHeaders(): Promise<void> {
  for (const path of ['/', '/api/status', '/api/nothing-of-this-name']) {
    await check(`security headers of ${path}`, async () => {
      const { headers } = await ask(path, { headers: { accept: 'text/html' } });
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy.includes("script-src 'self'"), `Content-Security-Policy: ${policy || 'missing'}`);
      expect(!policy.includes('unsafe'), `Content-Security-Policy: ${policy}`);
      expect(policy.includes('frame-ancestors'), 'frame-ancestors is missing');
      expect(headers.get('x-content-type-options') === 'nosniff', 'X-Content-Type-Options is not nosniff');
      expect(headers.has('referrer-policy'), 'Referrer-Policy is missing');
      const overTls = base.startsWith('https:');
      expect(!overTls || headers.has('strict-transport-security'), 'Strict-Transport-Security is missing');
      expect(!headers.has('x-powered-by'), `X-Powered-By: ${headers.get('x-powered-by')}`);
      return overTls ? 'all, with HSTS' : 'all; HSTS needs https';
    });
  }
}

async function pageAndFiles(): Promise<void> {
  let page = '';
  await check('the page', async () => {
    const answer = await ask('/', { headers: { accept: 'text/html' } });
    expectStatus(answer, 200);
    expect(/^text\/html/.test(answer.headers.get('content-type') ?? ''), 'it is not HTML');
    expect(
      /no-cache|no-store/.test(answer.headers.get('cache-control') ?? ''),
      'caches may keep an old page',
    );
    page = answer.text;
    return `${page.length} characters in ${inMs(answer.ms)}`;
  });
  const files = [
    ...new Set([...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path)),
  ];
  await check('files of the page', () => {
    expect(files.length > 0, 'the page refers to none under /assets/');
    expect(
      files.every((path) => /-[\w-]{8}\.\w+$/.test(path)),
      `without a hash: ${files.join(' ')}`,
    );
    return `${files.length}, all with a content hash`;
  });
  for (const path of files) {
    await check(path, async () => {
      const plain = await ask(path, { headers: { 'accept-encoding': 'identity' } });
      expectStatus(plain, 200);
      const kept = plain.headers.get('cache-control') ?? '';
      expect(kept.includes('immutable'), `Cache-Control is '${kept}', without immutable`);
      const etag = plain.headers.get('etag') ?? '';
      const again = await ask(path, {
        headers: { 'accept-encoding': 'identity', 'if-none-match': etag },
      });
      expect(
        etag !== '' && again.status === 304,
        `with its ETag the answer is ${again.status} instead of 304`,
      );
      const forms: string[] = [];
      for (const form of ['br', 'gzip']) {
        const answer = await ask(path, { headers: { 'accept-encoding': form } });
        const sent = answer.headers.get('content-encoding');
        // Small files are not compressed, and fonts are compressed in themselves.
        const isLarger = plain.text.length < 1_024 || path.endsWith('.woff2');
        expect(sent === form || (sent === null && isLarger), `${form} was requested and ${sent} sent`);
        expect(answer.text === plain.text, `the ${form} form has other content`);
        if (sent) forms.push(sent);
      }
      return [`${plain.text.length} characters`, ...forms, 'immutable', '304'].join(', ');
    });
  }
  await check('a missing file', async () => {
    const answer = await ask('/assets/nothing-00000000.js');
    expectStatus(answer, 404);
    return '404';
  });
}

async function api(readOnly: boolean): Promise<void> {
  await check('an unknown path of the API', async () => {
    const answer = await ask('/api/nothing-of-this-name');
    expectStatus(answer, 404);
    const type = answer.headers.get('content-type') ?? '';
    expect(type.startsWith('application/problem+json'), `the error is ${type}`);
    expect(typeof json(answer).requestId === 'string', 'it has no requestId');
    return '404, a problem document';
  });
  await check("operators' routes", async () => {
    for (const path of ['/metrics', '/api/monitoring/performance']) {
      const { status } = await ask(path);
      expect([401, 403, 404].includes(status), `${path} answers ${status} without a key`);
    }
    return 'closed without a key';
  });
  for (const file of globSync('server/{features,modules}/*/smoke.ts', { cwd: ROOT })) {
    const { smoke } = (await import(pathToFileURL(join(ROOT, file)).href)) as { smoke: PartCheck };
    await check(smoke.what, () => {
      if (readOnly && smoke.writes) throw new Skipped('--read-only');
      return smoke.run(askAsUser, (why) => {
        throw new Skipped(why);
      });
    });
  }
}

async function timing(): Promise<void> {
  await check('response time', async () => {
    const times: number[] = [];
    for (let n = 0; n < 20; n++) times.push((await ask('/api/status')).ms);
    times.sort((a, b) => a - b);
    return `median ${inMs(times[10] ?? 0)}, slowest ${inMs(times[19] ?? 0)} of 20, with the network`;
  });
}

const [address = '', ...options] = process.argv.slice(2);
if (!/^https?:\/\/[^/]+/.test(address) || options.some((option) => option !== '--read-only')) {
  console.error(USAGE);
  process.exitCode = 1;
} else {
  base = new URL(address).origin;
  const reachable = await check('reachable', async () => `${(await ask('/live')).status} from ${base}`);
  if (reachable) {
    await probes();
    await securityHeaders();
    await pageAndFiles();
    await api(options.includes('--read-only'));
    await timing();
  }
  const width = Math.max(...outcomes.map(([, what]) => what.length));
  for (const [result, what, found] of outcomes) {
    console.log(`${result.padEnd(4)}  ${what.padEnd(width)}  ${found}`);
  }
  const count = (result: Outcome[0]) => outcomes.filter(([found]) => found === result).length;
  console.log(`\n${outcomes.length} checks, ${count('FAIL')} failed, ${count('skip')} skipped`);
  if (count('FAIL') > 0) process.exitCode = 1;
}
