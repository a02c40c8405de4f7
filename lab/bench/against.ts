/**
 * `npm run bench -- --against REV`: compares the processor time of this tree with that of another revision, on the same machine in
 * the same run. For releases.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../tests/support/server.ts';
import { type Contender, type Load, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { print } from './results.ts';
import { middle, ratio, type Turn, takeTurns, times } from './rounds.ts';

/** The check fails above this ratio. Two runs of the same build differ by half of that on a shared machine. */
const MAX_RATIO = 1.15;
const PATHS = ['/api/status', '/api/notes?limit=20', '/'];

/**
 * @param revision Any name of a commit that git accepts.
 * @returns Whether no path costs more than {@link MAX_RATIO} times what it cost there.
 * @throws Error if there is no such revision, or if it cannot be built.
 */
export async function against(revision: string): Promise<boolean> {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const commit = git('rev-parse', '--verify', '--short', `${revision}^{commit}`);
  const folder = await mkdtemp(join(tmpdir(), 'bench-against-'));
  const other = join(folder, 'tree');
  git('worktree', 'add', '--detach', other, commit);
  try {
    // Each tree installs and builds itself, with its own versions of packages.
    for (const cwd of [other, ROOT]) execFileSync('npm', ['run', 'build'], { cwd, stdio: ['ignore', 2, 2] });
    return await compare({ [commit]: join(other, 'dist'), 'this tree': join(ROOT, 'dist') });
  } finally {
    git('worktree', 'remove', '--force', other);
    await rm(folder, { recursive: true });
  }
}

async function compare(builds: Record<string, string>): Promise<boolean> {
  let found = new Map<string, Load[]>();
  await withDatabase('against', async (databaseUrl) => {
    const running: Contender[] = [];
    try {
      for (const [name, build] of Object.entries(builds)) {
        running.push(await startContender({ ...flightline(databaseUrl, build), name }));
      }
      // Path by path, so that compared turns are adjacent.
      const turns = PATHS.flatMap((path) =>
        running.map((contender): [string, Turn] => [`${contender.name} ${path}`, { contender, path }]),
      );
      found = await takeTurns(new Map(turns));
    } finally {
      for (const contender of running) await contender.end();
    }
  });
  const names = Object.keys(builds);
  const ratios = PATHS.map((path) => {
    const [old, own] = names.map((name) => times(found.get(`${name} ${path}`)));
    return { path, old: old ?? [], own: own ?? [], ratio: ratio(own ?? [], old ?? []) };
  });
  const text = (values: number[]) => middle(values).median.toFixed(1);
  print([
    ['CPU µs a request', ...names, 'ratio'],
    ...ratios.map(({ path, old, own, ratio }) => [path, text(old), text(own), ratio.toFixed(2)]),
  ]);
  const worse = ratios.filter(({ ratio }) => !(ratio <= MAX_RATIO));
  for (const { path } of worse)
    console.error(`${path} costs more than ${MAX_RATIO} times what it cost at ${names[0]}.`);
  return worse.length === 0;
}
