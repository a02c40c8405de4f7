/** The client's files: a compressed asset, the page, and a 304 for either, compared with nginx and two packages for Node. */
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { ROOT } from '../../tests/support/server.ts';
import {
  CONTENDERS,
  type Contender,
  type ContenderOptions,
  type Load,
  startContender,
  withDatabase,
} from './contender.ts';
import { flightline } from './json.ts';
import { keep, print, type Table } from './results.ts';
import { middle, rates, ratio, type Turn, takeTurns, times } from './rounds.ts';

/** In bytes, compressed. */
const TYPICAL = 30_000;
const NGINX = ['/usr/sbin/nginx', '/usr/local/bin/nginx', '/opt/homebrew/bin/nginx'].find(existsSync);

const KINDS = ['asset', 'index.html', '304'] as const;

export async function staticSuite(): Promise<void> {
  await withDatabase('static', async (databaseUrl, folder) => {
    const build = process.env.BENCH_BUILD ?? join(ROOT, 'dist');
    const client = join(build, 'client');
    const asset = `/assets/${typicalAsset(join(client, 'assets'))}`;
    const env = { FOLDER: client, NODE_ENV: 'production' };
    const node = (file: string) => [process.execPath, join(CONTENDERS, file)];
    const entries: ContenderOptions[] = [
      { ...flightline(databaseUrl, build), name: 'Flightline' },
      { name: 'sirv', command: node('sirv.mjs'), ready: '/', env },
      { name: '@fastify/static', command: node('fastify-static.mjs'), ready: '/', env },
    ];
    if (NGINX) {
      const config = join(folder, 'nginx.conf');
      const command = (port: number) => [NGINX, '-p', folder, '-c', `${config}.${port}`, '-e', 'stderr'];
      entries.unshift({
        name: 'nginx, one worker',
        command,
        ready: '/',
        prepare: (port) => writeFile(`${config}.${port}`, nginxConfig(client, port)),
      });
    } else console.log('nginx is not installed: ratios are to Flightline\n');

    const running: Contender[] = [];
    try {
      for (const entry of entries) {
        running.push(await startContender({ ...entry, env: { ...entry.env, LOG_LEVEL: 'info' } }));
      }
      const turns = new Map<string, Turn>();
      for (const contender of running) {
        const tag = await tagOf(contender, asset);
        const headers = { 'accept-encoding': 'gzip' };
        const asked: Record<(typeof KINDS)[number], Omit<Turn, 'contender'>> = {
          asset: { path: asset, headers },
          'index.html': { path: '/', headers },
          304: { path: asset, headers: { ...headers, 'if-none-match': tag } },
        };
        for (const kind of KINDS) turns.set(`${contender.name} ${kind}`, { contender, ...asked[kind] });
      }
      const found = await takeTurns(turns);
      const names = entries.map(({ name }) => name);
      const table = asTable(names, found, statSync(`${join(client, asset)}.gz`).size);
      print(table);
      await keep('static', table, Object.fromEntries(found));
    } finally {
      for (const contender of running) await contender.end();
    }
  });
}

function asTable(names: string[], found: Map<string, Load[]>, size: number): Table {
  return [
    [
      'requests/s · ratio · ratio of processor time',
      `asset of ${(size / 1_000).toFixed(0)} kB`,
      'index.html',
      '304',
    ],
    ...names.map((name) => [
      name,
      ...KINDS.map((kind) => {
        const loads = found.get(`${name} ${kind}`);
        const reference = found.get(`${names[0]} ${kind}`);
        const byTime = ratio(times(reference), times(loads)).toFixed(2);
        const byRate = ratio(rates(loads), rates(reference)).toFixed(2);
        return `${middle(rates(loads)).median.toFixed(0)} · ${byRate} · ${byTime}`;
      }),
    ]),
  ];
}

/** @returns The file whose compressed form is nearest to the typical one. */
function typicalAsset(folder: string): string {
  const far = (name: string) => Math.abs(statSync(join(folder, `${name}.gz`)).size - TYPICAL);
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, `${name}.gz`)));
  const [nearest] = names.toSorted((a, b) => far(a) - far(b));
  if (nearest === undefined) throw new Error(`there is no compressed file in ${folder}: run npm run build`);
  return nearest;
}

/** @throws Error where a contender does not send the compressed form, or does not know it again. */
async function tagOf(contender: Contender, path: string): Promise<string> {
  const headers = { 'accept-encoding': 'gzip' };
  const answer = await ask(contender, path, headers);
  const tag = answer.headers.etag ?? '';
  if (answer.headers['content-encoding'] !== 'gzip') throw new Error(`${contender.name} sends no gzip`);
  const again = await ask(contender, path, { ...headers, 'if-none-match': tag });
  if (again.statusCode !== 304) {
    throw new Error(`${contender.name} answers ${again.statusCode} to its own tag ${tag}`);
  }
  return tag;
}

/** Unlike `fetch`, which sends `Cache-Control: no-cache` along with a tag. */
async function ask(
  { port }: Contender,
  path: string,
  headers: Record<string, string>,
): Promise<IncomingMessage> {
  const [answer] = await once(get({ host: '127.0.0.1', port, path, headers }), 'response');
  answer.resume();
  return answer;
}

/** One process, and everything on that makes nginx quick at this. */
const nginxConfig = (folder: string, port: number) => `
daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 10000; }
http {
  types { text/html html; text/javascript js; text/css css; image/svg+xml svg; font/woff2 woff2; }
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  gzip_static on;
  open_file_cache max=1000 inactive=60s;
  open_file_cache_valid 60s;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    root ${folder};
    location /assets/ { add_header Cache-Control "public, max-age=31536000, immutable"; }
  }
}
`;
