/**
 * A small JSON response with every feature on, compared with the alternatives; and the same with more connections (`concurrency`).
 *
 * The contenders take turns. Throughput depends on the share of a core that the machine provides at the moment; processor time per
 * request depends on it much less, so both are reported.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FLAGS } from '../../scripts/launcher/server.mjs';
import { ROOT } from '../../tests/support/server.ts';
import {
  CONTENDERS,
  type Contender,
  type ContenderOptions,
  headersOf,
  type Load,
  load,
  startContender,
  withDatabase,
} from './contender.ts';
import { openLoop, quantile } from './open-loop.ts';
import { keep, print, type Table } from './results.ts';
import {
  CONNECTIONS,
  middle,
  ROUNDS,
  rates,
  ratio,
  SECONDS,
  type Turn,
  takeTurns,
  times,
  withSpread,
} from './rounds.ts';

const PATH = '/api/status';
/** Latency is measured at this share of each contender's peak, in fewer and longer turns: a percentile needs many requests. */
const STEADY_SHARE = 0.5;
const STEADY_ROUNDS = Math.ceil(ROUNDS / 3);
const STEADY_SECONDS = 2 * SECONDS;

export interface Entry extends ContenderOptions {
  /** Whether response, log and metrics are checked before the measurement. */
  features: boolean;
  /** Without access log and metrics. */
  quiet?: boolean;
}

export const node = (file: string) => [process.execPath, join(CONTENDERS, file)];
const BARE = 'bare Fastify';
const OURS = 'Flightline, everything on';

/** @param build The folder of a built server. */
export function flightline(
  databaseUrl: string,
  build = process.env.BENCH_BUILD ?? join(ROOT, 'dist'),
): Omit<Entry, 'name' | 'command'> & { command: string[] } {
  return {
    command: [process.execPath, ...FLAGS, join(build, 'server/main.js')],
    ready: '/ready',
    features: true,
    env: {
      NODE_ENV: 'production',
      DATABASE_URL: databaseUrl,
      RATE_LIMIT_MAX: '1000000000',
      CORS_ORIGINS: 'https://app.example.com',
      // This route is polled, so its line is logged at `debug`. Other routes log nothing more at that level.
      LOG_LEVEL: 'debug',
      INTERNAL_API_KEY: KEY,
    },
  };
}
const KEY = randomBytes(32).toString('base64url');

function entries(databaseUrl: string): Entry[] {
  const ours = flightline(databaseUrl);
  return [
    { name: BARE, command: node('bare-fastify.mjs'), features: false },
    { name: 'bare node:http', command: node('node-http.mjs'), features: false },
    { ...ours, name: OURS },
    {
      ...ours,
      name: 'Flightline, no log, no metrics',
      quiet: true,
      env: { ...ours.env, LOG_LEVEL: 'silent', ENABLE_METRICS: 'false' },
    },
    { name: 'the same packages by their READMEs', command: node('readmes.mjs'), features: true },
    { name: 'Express 5, the same features', command: node('express.mjs'), features: true },
    { name: 'Hono, all but compression', command: node('hono.mjs'), features: true },
  ];
}

interface Figures {
  loads: Load[];
  /** Milliseconds at a steady rate, open loop. */
  p50: number[];
  p99: number[];
  p999: number[];
  residentMiB: number;
}

export async function jsonSuite(): Promise<void> {
  await withDatabase('json', async (databaseUrl, folder) => {
    const found = new Map<string, Figures>();
    const running: Contender[] = [];
    try {
      for (const entry of entries(databaseUrl)) {
        const output = join(folder, `${running.length}.log`);
        const contender = await startContender({
          ...entry,
          output,
          env: { NODE_ENV: 'production', ...entry.env },
        });
        running.push(contender);
        if (entry.features) await checkFeatures(contender, entry, PATH, output);
        found.set(entry.name, { loads: [], p50: [], p99: [], p999: [], residentMiB: 0 });
      }
      const of = (contender: Contender) => found.get(contender.name) as Figures;
      const turns = running.map((contender): [string, Turn] => [contender.name, { contender, path: PATH }]);
      const loads = await takeTurns(new Map(turns));
      for (const contender of running) of(contender).loads = loads.get(contender.name) ?? [];
      for (const contender of running) of(contender).residentMiB = contender.residentMiB();
      for (let round = -1; round < STEADY_ROUNDS; round++) {
        for (const contender of running) {
          const figures = of(contender);
          const rate = middle(rates(figures.loads)).median * STEADY_SHARE;
          const answers = await openLoop(contender.port, PATH, rate, STEADY_SECONDS, CONNECTIONS);
          // The generator must be warm as well, or it falls behind and catches up in bursts.
          if (round === -1) continue;
          const answered = answers.times.get(200) ?? [];
          figures.p50.push(quantile(answered, 0.5));
          figures.p99.push(quantile(answered, 0.99));
          figures.p999.push(quantile(answered, 0.999));
          await sleep(200);
        }
      }
    } finally {
      for (const contender of running) await contender.end();
    }
    const table = asTable(found);
    print(table);
    await keep('json', table, Object.fromEntries(found));
  });
}

function asTable(found: Map<string, Figures>): Table {
  const bare = found.get(BARE) as Figures;
  return [
    [
      '',
      'requests/s',
      'ratio',
      'CPU µs a request',
      'ratio',
      'p50 · p99 · p99.9 at half of it, ms',
      'p99 ratio',
      'resident, MiB',
    ],
    ...[...found].map(([name, figures]) => [
      name,
      withSpread(rates(figures.loads)),
      ratio(rates(figures.loads), rates(bare.loads)).toFixed(2),
      withSpread(times(figures.loads), 1),
      ratio(times(bare.loads), times(figures.loads)).toFixed(2),
      [figures.p50, figures.p99, figures.p999].map((values) => middle(values).median.toFixed(2)).join(' · '),
      ratio(figures.p99, bare.p99).toFixed(1),
      figures.residentMiB.toFixed(0),
    ]),
  ];
}

/** A contender without the features would win unfairly. @throws Error that names what is missing. */
export async function checkFeatures(
  contender: Contender,
  { quiet }: Pick<Entry, 'quiet'>,
  path: string,
  output: string,
): Promise<void> {
  const url = `http://127.0.0.1:${contender.port}`;
  const origin = 'https://app.example.com';
  const answer = await fetch(url + path, { headers: { origin, ...headersOf(path) } });
  await answer.arrayBuffer();
  const [route = path] = path.split('?');
  const missing: string[] = [];
  const wants = {
    'security headers': ['content-security-policy', 'x-content-type-options', 'referrer-policy'],
    CORS: ['access-control-allow-origin'],
    'a request id': ['x-request-id'],
  };
  for (const [feature, names] of Object.entries(wants)) {
    if (!names.every((name) => answer.headers.has(name))) missing.push(feature);
  }
  if (!answer.headers.has('ratelimit') && !answer.headers.has('x-ratelimit-limit'))
    missing.push('rate limits');
  if (answer.status !== 200) missing.push('the answer itself');
  if (!quiet) {
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
    const text = await metrics.text();
    if (!new RegExp(`_count\\{[^}]*"${route}"`).test(text)) missing.push('metrics');
    await sleep(500);
    if (!new RegExp(`"${route}[?"]`).test(await readFile(output, 'utf8'))) missing.push('access log');
  }
  if (missing.length > 0)
    throw new Error(`${contender.name} is to be compared, and lacks: ${missing.join(', ')}`);
}

const STEPS = [1, 16, 64, 256, 1_024, 4_096];

/** Throughput by number of connections. */
export async function concurrencySuite(): Promise<void> {
  await withDatabase('concurrency', async (databaseUrl) => {
    const ours = flightline(databaseUrl);
    const entries: ContenderOptions[] = [
      { name: BARE, command: node('bare-fastify.mjs'), env: { NODE_ENV: 'production' } },
      { ...ours, name: OURS, env: { ...ours.env, LOG_LEVEL: 'info' } },
    ];
    const running: Contender[] = [];
    const found = new Map<string, number[]>();
    const key = ({ name }: Contender, connections: number) => `${name}, ${connections}`;
    try {
      for (const entry of entries) running.push(await startContender(entry));
      for (const server of running) await load(server, { path: PATH, connections: CONNECTIONS, seconds: 3 });
      for (let round = 0; round < Math.ceil(ROUNDS / 3); round++) {
        for (const connections of STEPS) {
          for (const server of running) {
            // Long enough for thousands of connections to be opened first.
            const { rate } = await load(server, { path: PATH, connections, seconds: Math.max(4, SECONDS) });
            found.set(key(server, connections), [...(found.get(key(server, connections)) ?? []), rate]);
          }
        }
      }
    } finally {
      for (const server of running) await server.end();
    }
    const rows = running.flatMap((server) => {
      const at = (connections: number) => found.get(key(server, connections)) ?? [];
      const against = (step: number) => ratio(at(step), at(CONNECTIONS)).toFixed(2);
      return [
        [`${server.name}, requests/s`, ...STEPS.map((step) => middle(at(step)).median.toFixed(0))],
        [`against ${CONNECTIONS}`, ...STEPS.map(against)],
      ];
    });
    const table: Table = [['connections', ...STEPS.map(String)], ...rows];
    print(table);
    await keep('concurrency', table, Object.fromEntries(found));
  });
}
