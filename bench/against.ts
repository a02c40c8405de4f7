/**
 * `npm run bench -- --against REV`: whether this tree asks more of the processor than another revision, on the same machine
 * in the same run. For releases.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tests/support/server.ts';
import { type Contender, load, middle, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { print } from './results.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2);
/** Beyond this the guard fails; half of it is what two runs of the same build differ by on a shared machine. */
const MOST = 1.15;
const PATHS = ['/api/status', '/api/notes?limit=20', '/'];

/**
 * @param revision Anything that git takes for a commit.
 * @returns Whether no path costs more than {@link MOST} times what it cost there.
 * @throws Error when there is no such revision, or when it cannot be built.
 */
export async function against(revision: string): Promise<boolean> {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const commit = git('rev-parse', '--verify', '--short', `${revision}^{commit}`);
  const folder = await mkdtemp(join(tmpdir(), 'bench-against-'));
  const other = join(folder, 'tree');
  git('worktree', 'add', '--detach', other, commit);
  try {
    // Each tree installs and builds itself, so that its own versions of packages count.
    for (const cwd of [other, ROOT]) execFileSync('npm', ['run', 'build'], { cwd, stdio: ['ignore', 2, 2] });
    return await compare({ [commit]: join(other, 'dist'), 'this tree': join(ROOT, 'dist') });
  } finally {
    git('worktree', 'remove', '--force', other);
    await rm(folder, { recursive: true });
  }
}

async function compare(builds: Record<string, string>): Promise<boolean> {
  const found = new Map<string, number[]>();
  const key = (name: string, path: string) => `${name} ${path}`;
  await withDatabase('against', async (databaseUrl) => {
    const running: Contender[] = [];
    try {
      for (const [name, build] of Object.entries(builds)) {
        running.push(await startContender({ ...flightline(databaseUrl, build), name }));
      }
      // The first round warms up.
      for (let round = 0; round <= ROUNDS; round++) {
        for (const path of PATHS) {
          for (const contender of running) {
            const { cpuPerRequest } = await load(contender, { path, connections: 64, seconds: SECONDS });
            if (round === 0) continue;
            const all = found.get(key(contender.name, path)) ?? [];
            found.set(key(contender.name, path), [...all, cpuPerRequest]);
          }
        }
      }
    } finally {
      for (const contender of running) await contender.end();
    }
  });
  const [before = '', now = ''] = Object.keys(builds);
  const ratios = PATHS.map((path) => {
    const [old, own] = [before, now].map((name) => middle(found.get(key(name, path)) ?? []).median);
    return { path, old: old ?? Number.NaN, own: own ?? Number.NaN };
  });
  print([
    ['CPU µs a request', before, now, 'ratio'],
    ...ratios.map(({ path, old, own }) => [path, old.toFixed(1), own.toFixed(1), (own / old).toFixed(2)]),
  ]);
  const worse = ratios.filter(({ old, own }) => !(own / old <= MOST));
  for (const { path } of worse)
    console.error(`${path} costs more than ${MOST} times what it cost at ${before}.`);
  return worse.length === 0;
}
