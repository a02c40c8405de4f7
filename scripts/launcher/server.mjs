/**
 * The options of the built server, for `npm start` and the benchmarks. `.replit` repeats them. The Dockerfile repeats the first; the
 * second follows from its share of the container's memory.
 *
 * V8 grows the young generation of a busy process up to three times 64 MiB, and shrinks it to 1 MiB when idle. Three times 16 MiB save
 * 80 MiB and cost at most 5 % of the throughput. Below 4 MiB, short-lived objects are promoted, and full collections on one core add
 * up to 15 ms to the 99th percentile
 * (docs/decisions/0019-nothing-stays-between-requests.md).
 */
export const FLAGS = ['--min-semi-space-size=4', '--max-semi-space-size=16'];
export const MAIN = 'dist/server/main.js';
