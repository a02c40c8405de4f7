/**
 * Contenders take turns.
 *
 * Turns are short and many, so that a busy neighbour on the same machine affects all contenders. Ratios are computed within a round,
 * because a shared machine changes more in a minute than between two turns.
 */
import { type Contender, type Load, type LoadOptions, load } from './contender.ts';

export const ROUNDS: number = Number(process.env.BENCH_ROUNDS ?? 15);
/** How long a turn lasts. */
export const SECONDS: number = Number(process.env.BENCH_SECONDS ?? 1);
export const CONNECTIONS = 64;
const WARM_UP_SECONDS = 3;

export type Turn = Pick<LoadOptions, 'path' | 'headers'> & { contender: Contender; connections?: number };

/**
 * @param turns By name, in order. Every other round runs in reverse, so that the predecessor of a turn changes.
 * @returns By name, a load for each round.
 */
export async function takeTurns(turns: ReadonlyMap<string, Turn>): Promise<Map<string, Load[]>> {
  const found = new Map<string, Load[]>();
  const one = ({ contender, ...what }: Turn, seconds: number) =>
    load(contender, { connections: CONNECTIONS, ...what, seconds });
  for (const [name, turn] of turns) {
    found.set(name, []);
    // A cold server may shed some requests. In the rounds that counts as a failure.
    await one(turn, WARM_UP_SECONDS).catch(() => {});
  }
  const there = [...turns];
  const back = there.toReversed();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, turn] of round % 2 === 0 ? there : back) {
      found.get(name)?.push(await one(turn, SECONDS));
    }
  }
  return found;
}

/** @returns The median, and half of the interquartile range. */
export function middle(values: readonly number[]): { median: number; spread: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
  return { median: at(0.5), spread: (at(0.75) - at(0.25)) / 2 };
}

/** @returns The median of the ratios of all rounds. */
export function ratio(above: readonly number[], below: readonly number[]): number {
  return middle(above.map((value, round) => value / (below[round] ?? Number.NaN))).median;
}

export const rates = (loads: readonly Load[] = []): number[] => loads.map(({ rate }) => rate);
export const times = (loads: readonly Load[] = []): number[] =>
  loads.map(({ cpuPerRequest }) => cpuPerRequest);

/** @returns The median with its spread, for a table. */
export function withSpread(values: readonly number[], digits = 0): string {
  const { median, spread } = middle(values);
  return `${median.toFixed(digits)} ± ${spread.toFixed(digits)}`;
}
