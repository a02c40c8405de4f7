/**
 * How the built server is started: by `npm start` and by what measures it. `.replit` says the same in its own words, and the
 * Dockerfile the first option; as for the second, V8 takes its measure there from the share of the container's memory that it
 * is given.
 *
 * V8 gives young objects ever more room while a process is busy, up to three times 64 MiB, and takes it back when that is idle,
 * down to 1. Three times 16 save 80 MiB and cost between nothing and 5 % of the throughput. Below 4, too much that is soon
 * garbage is taken for old while it gets busy, and full collections cost the 99th percentile up to 15 ms where there is one core
 * (docs/decisions/0019-nothing-stays-between-requests.md).
 */
export const FLAGS = ['--min-semi-space-size=4', '--max-semi-space-size=16'];
export const MAIN = 'dist/server/main.js';
