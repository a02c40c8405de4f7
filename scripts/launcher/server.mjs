/**
 * How the built server is started: by `npm start`, while the image is built, and by what measures it. `Dockerfile` and
 * `.replit` say the same in their own words.
 *
 * V8 gives young objects ever more room while a process is busy, up to three times 64 MiB. Three times 16 cost no throughput that
 * could be measured, and save some 80 MiB (docs/performance.md).
 */
export const SERVER = ['--max-semi-space-size=16', 'dist/server/main.js'];
