/**
 * How the built server is started: by `npm start` and by what measures it. `.replit` says the same in its own words. In the
 * image V8 takes its measure from the share of the container's memory that it is given.
 *
 * V8 gives young objects ever more room while a process is busy, up to three times 64 MiB. Three times 16 save 80 MiB and cost
 * between nothing and 5 % of the throughput (docs/decisions/0019-nothing-stays-between-requests.md).
 */
export const SERVER = ['--max-semi-space-size=16', 'dist/server/main.js'];
