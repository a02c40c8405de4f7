/**
 * How the built server is started: by `npm start`, while the image is built, and by what measures it. `Dockerfile` and
 * `.replit` say the same in their own words.
 *
 * V8 gives young objects ever more room while a process is busy, up to three times 64 MiB. Three times 16 save 80 MiB and cost
 * between nothing and 5 % of the throughput (docs/decisions/0019-nothing-stays-between-requests.md).
 */
export const SERVER = ['--max-semi-space-size=16', 'dist/server/main.js'];
